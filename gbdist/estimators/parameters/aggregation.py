"""How the ranks' work is added up: the parameters that are not CatBoost's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.table import Used
from gbdist.estimators.parameters.value_checks import check_value

AGGREGATES: Final = ("histograms", "models")
#: What becomes of the models of a round; see ``gbdist.rounds.merge``.
MERGES: Final = ("average", "bagging", "best")
#: When ranks train, and when they meet; see ``gbdist.rounds.schedule``.
SCHEDULES: Final = ("sync", "groups", "async")
#: Trees that a rank grows in a round where ``rounds`` is not given: a round is what early stopping counts in.
TREES_A_ROUND = 20
#: Ranks of a group, and rounds from one meeting of all groups to the next.
GROUP_SIZE, GROUP_ROUNDS = 1, 4
#: Rounds that a rank may train ahead of the merge.
MAX_STALENESS = 2
#: Parameter → what it may be. All but the first are about ``aggregate="models"``.
AGGREGATION: Final[dict[str, Used]] = {
    "aggregate": Used("choice", choices=AGGREGATES, note="left out: histograms, which is exact"),
    "rounds": Used(
        "int",
        low=1,
        note=f"left out: one for every {TREES_A_ROUND} of a worker's `iterations` trees, or 1 with columns that are not binned",
    ),
    "merge": Used("choice", choices=MERGES, note="what becomes of the models of a round; left out: average"),
    "schedule": Used("choice", choices=SCHEDULES, note="when workers wait for one another; left out: sync"),
    "group_size": Used("int", low=1, note=f'workers of a group, with schedule="groups"; left out: {GROUP_SIZE}'),
    "group_rounds": Used(
        "int", low=1, note=f'rounds until all groups meet, with schedule="groups"; left out: {GROUP_ROUNDS}'
    ),
    "max_staleness": Used(
        "int", low=0, note=f'rounds that a worker may train ahead, with schedule="async"; left out: {MAX_STALENESS}'
    ),
}
#: The only schedule that a parameter belongs to.
_SCHEDULE_OF: Final = {"group_size": "groups", "group_rounds": "groups", "max_staleness": "async"}


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Rounds of native CatBoost; ``rounds`` None is one for every ``TREES_A_ROUND`` trees. The rest is as in ``RoundsSpec``."""

    rounds: int | None
    merge: str
    schedule: str = "sync"
    group_size: int = GROUP_SIZE
    group_rounds: int = GROUP_ROUNDS
    max_staleness: int = MAX_STALENESS

    def rounds_of(self, iterations: int) -> int:
        """Number of rounds in which a rank grows its trees: none without a tree."""
        return min(self.rounds or max(1, iterations // TREES_A_ROUND), iterations)

    @property
    def rounds_together(self) -> int:
        """Rounds from one meeting of all ranks to the next."""
        return self.group_rounds if self.schedule == "groups" else 1


def aggregation_of(given: Mapping[str, object]) -> Aggregation | None:
    """Check the parameters; None for exact training on histograms."""
    checked: dict[str, Any] = {name: _checked(name, value) for name, value in given.items() if value is not None}
    if checked.pop("aggregate", "histograms") == "histograms":
        if checked:
            name = next(iter(checked))
            fix = 'Set aggregate="models", or leave it out.'
            raise ParameterError(name, checked[name], "it to be left out with aggregate='histograms'", fix)
        return None
    aggregation = Aggregation(**{"rounds": None, "merge": "average"} | checked)
    for name, schedule in _SCHEDULE_OF.items():
        if name in checked and aggregation.schedule != schedule:
            expected = f"it to be left out with schedule={aggregation.schedule!r}"
            raise ParameterError(name, checked[name], expected, f'Set schedule="{schedule}", or leave it out.')
    return aggregation


def _checked(name: str, value: object) -> object:
    try:
        return check_value(name, value, AGGREGATION[name], classifier=False)
    except ParameterError as error:
        # These have no default of CatBoost's to go back to.
        raise ParameterError(name, value, error.args[2], "Leave it out, or see docs/choosing.md.") from None
