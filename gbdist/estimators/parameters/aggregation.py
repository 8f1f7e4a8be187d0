"""How the ranks' work is added up: the parameters that are not CatBoost's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.table import Used
from gbdist.estimators.parameters.value_checks import check_value

AGGREGATES: Final = ("histograms", "models")
#: What becomes of the models of a round; see ``gbdist.rounds.merge``.
MERGES: Final = ("average", "bagging", "best")
#: Trees that a rank grows in a round where ``rounds`` is not given: a round is what early stopping counts in.
TREES_A_ROUND = 20
#: Parameter → what it may be. All but the first are about ``aggregate="models"``.
AGGREGATION: Final[dict[str, Used]] = {
    "aggregate": Used("choice", choices=AGGREGATES, note="left out: histograms, which is exact"),
    "rounds": Used("int", low=1, note=f"left out: one for every {TREES_A_ROUND} of a worker's `iterations` trees"),
    "merge": Used("choice", choices=MERGES, note="what becomes of the models of a round; left out: average"),
}


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Rounds of native CatBoost; ``rounds`` None is one for every ``TREES_A_ROUND`` trees."""

    rounds: int | None
    merge: str

    def rounds_of(self, iterations: int) -> int:
        """Number of rounds in which a rank grows its trees: none without a tree."""
        return min(self.rounds or max(1, iterations // TREES_A_ROUND), iterations)


def aggregation_of(given: Mapping[str, object]) -> Aggregation | None:
    """Check the parameters; None for exact training on histograms."""
    checked = {
        name: check_value(name, value, AGGREGATION[name], classifier=False)
        for name, value in given.items()
        if value is not None
    }
    if checked.pop("aggregate", "histograms") == "histograms":
        if checked:
            name = next(iter(checked))
            fix = 'Set aggregate="models", or leave it out.'
            raise ParameterError(name, checked[name], "it to be left out with aggregate='histograms'", fix)
        return None
    rounds = checked.get("rounds")
    return Aggregation(None if rounds is None else int(str(rounds)), str(checked.get("merge", "average")))
