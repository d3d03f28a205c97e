"""The data sets, a file each: its `DATASET` is a record of shape, classes, sources and hashes."""
