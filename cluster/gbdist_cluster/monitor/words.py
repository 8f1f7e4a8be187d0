"""Numbers, sizes and times as the page writes them; a dash for what is not known."""

import time

__all__ = ["bytes_words", "count_words", "duration_words", "moment_words", "number_words"]

_UNKNOWN = "–"


def count_words(count: int) -> str:
    """1,234."""
    return f"{count:,}"


def number_words(number: float | None) -> str:
    """Three digits or so: 0.123, 12.3, 1,234."""
    if number is None:
        return _UNKNOWN
    return f"{number:,.0f}" if number >= 100.0 else f"{number:.3g}"


def duration_words(seconds: float | None) -> str:
    """12 s, 3 min 5 s, 2 h 14 min, 3 d 4 h."""
    if seconds is None:
        return _UNKNOWN
    whole = round(seconds)
    for unit, size, smaller, of_smaller in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // of_smaller
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def moment_words(seconds: float) -> str:
    """A time of the scheduler's clock, seconds since 1970, as it is in Greenwich: the words hold however long they are shown."""
    return time.strftime("%d %b %H:%M UTC", time.gmtime(seconds))


def bytes_words(size: float) -> str:
    """12 B, 3.4 kB, 5.6 MB, 7.8 GB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000.0:
            return f"{size:.3g} {unit}"
        size /= 1000.0
    return f"{size:,.1f} GB"
