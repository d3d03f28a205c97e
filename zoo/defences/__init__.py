"""The defences, a file each: its `DEFENCE` is the class."""
