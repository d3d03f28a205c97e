"""What the referee alone may see: the evaluation images, and the judges of what came back."""

#: Images of each class, first to last, that a profile holds; `full` is the whole reserve.
PROFILES = {"paper10": 1, "standard": 10, "full": 100}
