"""What options may be, for whoever offers them without loading torch."""

DEVICES = ("auto", "cpu", "cuda")
#: Of a training's forward and backward passes.
PRECISIONS = ("auto", "float32", "bfloat16")
