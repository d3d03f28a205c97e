"""The subcommands of `splitzoo`, one file each: `add` declares it, `run` does it."""
