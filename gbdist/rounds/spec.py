"""What a run of rounds is told, resolved: no defaults left to fill in, no names left to check."""

from collections.abc import Mapping
from dataclasses import dataclass

from gbdist.boosting.params import BoostParams, Stopping
from gbdist.metrics.base import Metric


@dataclass(frozen=True, slots=True)
class RoundsSpec:
    """One run of rounds.

    Parameters
    ----------
    options : flat CatBoost parameters of a round's training, without number of trees, seed, threads and device
    learning_rate, random_strength : CatBoost's, for all rounds together
    iterations, rounds : number of trees that a rank grows, and of rounds that it grows them in
    merge : one of "average", "bagging", "best" (``merge.py``)
    metrics : the first one decides
    refit : how leaves are estimated over the rows of all ranks; None where only CatBoost knows the loss, or the kind of trees
    stopping : ``wait`` counts meetings of all ranks, ``min_trees`` rounds
    metric_period : metrics are computed at the meeting after every so many rounds, and after the last one
    devices : CatBoost's task_type and devices of each rank
    schedule : one of "sync", "groups", "async" (``schedule.py``)
    group_size, group_rounds : ranks of a group, and rounds from one meeting of all groups to the next
    max_staleness : how many rounds a rank may train ahead of the merge
    """

    options: Mapping[str, object]
    learning_rate: float
    random_strength: float
    iterations: int
    rounds: int
    merge: str
    refit: BoostParams | None
    metrics: tuple[Metric, ...]
    stopping: Stopping
    use_best_model: bool
    metric_period: int
    random_seed: int
    devices: tuple[Mapping[str, object], ...]
    listeners_may_stop: bool = False
    threads: int = 1
    schedule: str = "sync"
    group_size: int = 1
    group_rounds: int = 1
    max_staleness: int = 0

    @property
    def goes_on_alone(self) -> bool:
        """Whether a rank goes on from its own model, and not from one that ranks have merged."""
        return self.merge != "best" and self.schedule != "groups"

    def rounds_to_meeting(self, number: int) -> int:
        """How many rounds, from one on, ranks grow until all of them meet."""
        together = self.group_rounds if self.schedule == "groups" else 1
        return min(together, self.rounds - number)

    def group_of(self, rank: int, size: int) -> range:
        """Ranks of the group of one rank: neighbours, the last group may be smaller."""
        first = rank - rank % self.group_size
        return range(first, min(first + self.group_size, size))

    def trees_in(self, number: int) -> int:
        """Trees that a rank grows in a round: as many in each, and one more in the first ones where they do not divide."""
        return self.trees_until(number + 1) - self.trees_until(number)

    def trees_until(self, number: int) -> int:
        """Trees that a rank has grown before one round."""
        each, more = divmod(self.iterations, self.rounds)
        return number * each + min(number, more)

    def seed_of(self, rank: int, number: int) -> int:
        """Seed of one rank's training in one round: no two are alike in a run."""
        return (self.random_seed + 1_000_003 * number + 7_919 * rank) % (1 << 31)
