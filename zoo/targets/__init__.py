"""The target networks, a file each: its `NETWORK` is an entry of the zoo."""
