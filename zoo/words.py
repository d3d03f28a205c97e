"""Numbers in words."""


def duration(seconds: float) -> str:
    """Seconds in words: "42 s", "8 min", "2 h 5 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
