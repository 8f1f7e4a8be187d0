"""What a run's iterations are (trees, epochs, passes over a model, models tried), a search's trials, and how people are told."""

from typing import Final

TREES: Final = "trees"
EPOCHS: Final = "epochs"
PASSES: Final = "passes"
MODELS: Final = "models"

#: Below so many a second it is told how long one takes.
_SLOW = 0.5


def one_of(counted: str) -> str:
    """What a single one is called."""
    return counted.removesuffix("es" if counted == PASSES else "s")


def work_on(counted: str) -> str:
    """What is done with the rows meanwhile."""
    return "compressing with" if counted in (PASSES, MODELS) else "training on"


def rate_words(rate: float, counted: str) -> str:
    """So many a second, or how many seconds one takes, where that is long."""
    return f"{rate:.1f} {counted}/s" if rate >= _SLOW or rate <= 0.0 else f"{1.0 / rate:.1f} s/{one_of(counted)}"


def counted_trials(number: int, ended: int | None = None) -> str:
    """As in "1 trial", "2 trials", and "1 of 2 trials" where ``ended`` is 1."""
    of = "" if ended is None else f"{ended:,} of "
    return f"{of}{number:,} {'trial' if number == 1 else 'trials'}"
