"""Numbers, durations and names as people read them."""

import math


def number(value: float | None) -> str:
    """Returns a number with four digits, a large whole one in full; None is one that is not finite.

    None is what metrics.jsonl holds in its place.
    """
    if value is None or not math.isfinite(value):
        return 'not finite' if value is None else str(value)
    return f'{value:,.0f}' if float(value).is_integer() and abs(value) >= 10 else f'{value:.4g}'


def duration(seconds: float) -> str:
    """Returns a time as minutes:seconds or hours:minutes:seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}' if hours else f'{minutes}:{seconds:02}'


def title(name: str) -> str:
    """Returns the name of a metric or a picture in words."""
    words = name.replace('_', ' ').strip()
    return words[:1].upper() + words[1:]
