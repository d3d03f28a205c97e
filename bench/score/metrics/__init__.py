"""The metrics, a file each: its `METRIC` is taken of every stored image."""
