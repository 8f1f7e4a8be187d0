"""What a run's iterations are, and how people are told of them: trees, or epochs of a network."""

from typing import Final

TREES: Final = "trees"
EPOCHS: Final = "epochs"

#: Below so many a second it is told how long one takes.
_SLOW = 0.5


def one_of(counted: str) -> str:
    """What a single one is called."""
    return counted.removesuffix("s")


def rate_words(rate: float, counted: str) -> str:
    """So many a second, or how many seconds one takes, where that is long."""
    return f"{rate:.1f} {counted}/s" if rate >= _SLOW or rate <= 0.0 else f"{1.0 / rate:.1f} s/{one_of(counted)}"
