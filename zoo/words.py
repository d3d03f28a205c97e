"""Numbers in words."""


def size(count: int) -> str:
    """Bytes in words: "12 kB", "1.3 MB"."""
    return f"{count / 1e3:.0f} kB" if count < 50_000 else f"{count / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """Seconds in words: "42 s", "8 min", "2 h 5 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
