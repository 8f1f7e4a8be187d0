"""The search finds the largest model within a size and the smallest within a loss, in few tries, and chooses among families."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import pytest

from gbdist.compression.candidates import Family
from gbdist.compression.chance import PartLoss
from gbdist.compression.figures import ModelFigures
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.report import Tried
from gbdist.compression.search import Search, words_of
from gbdist.compression.targets import parse_targets
from gbdist.errors import ModelError
from gbdist.models.ensemble import Ensemble

#: Bytes of a model beside its trees, and of each tree.
REST, A_TREE = 5_000, 1_000


@dataclass(frozen=True)
class Keep(Pass):
    """Keeps so many trees; what is left of the loss above ``lowest`` falls with their number to the power of −``power``."""

    trees: int
    power: float = 1.0
    lowest: float = 1.0
    name: ClassVar[str] = "keep"
    needs_rows: ClassVar[bool] = False

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Made:
    """What stands for an ensemble here."""

    trees: int
    power: float
    lowest: float


class Bench:
    """A workshop whose models are numbers; ``pieces`` of the rows have losses by power."""

    def __init__(self, pieces: Mapping[float, Sequence[float]] | None = None) -> None:
        self.pieces = pieces or {}
        self.made_of: list[Sequence[Pass]] = []

    def made(self, passes: Sequence[Pass]) -> Ensemble:
        self.made_of.append(passes)
        (one,) = passes
        assert isinstance(one, Keep)
        if one.trees < 0:
            raise ModelError("keep does not apply", "Leave it out")
        return cast(Ensemble, Made(one.trees, one.power, one.lowest))

    def loss(self, ensemble: Any) -> PartLoss:
        return PartLoss(
            ensemble.lowest + 1.0 / max(ensemble.trees, 0.5) ** ensemble.power,
            np.array(self.pieces.get(ensemble.power, ())),
        )

    def figures(self, ensemble: Any) -> ModelFigures:
        n = ensemble.trees
        return ModelFigures(REST + n * A_TREE, n, 64 * n, 5, 10, 0, 2.0 * n)


def family(name: str, power: float, lowest: float = 1.0, times: float = 1.0) -> Family:
    """Of ``times`` as many trees as its step says."""
    return Family(name, lambda step: (Keep(int(times * step), power, lowest),), 999, 1_000)


def searched(
    target: str, *families: Family, pieces: Mapping[float, Sequence[float]] | None = None, lowest: float = 1.0
) -> tuple[Search, list[Tried]]:
    told: list[Tried] = []
    search = Search(parse_targets(target), Bench(pieces), lambda candidates, best: told.append(candidates[-1].tried))
    search.start(cast(Ensemble, Made(1_000, 1.0, lowest)))
    search.over(families)
    return search, told


def trees_of(told: Sequence[Tried], family: str) -> list[int]:
    return [one.figures.trees for one in told if one.family == family]


def best_of(search: Search) -> Any:
    assert search.best is not None
    return search.best.ensemble


@pytest.mark.parametrize(
    ("target", "trees"),
    [("size:0.25", 246), ("size:50KB", 45), ("latency:0.5", 500), ("trees:77", 77), ("size:6KB", 1)],
)
def test_largest_model_within_a_bound(target: str, trees: int) -> None:
    search, told = searched(target, family("good", 1.0))
    found = best_of(search).trees
    assert 0.97 * trees <= found <= trees
    assert len(told) <= 1 + 4
    assert max(one.figures.size for one in told if one.keeps) == search.best.tried.figures.size  # type: ignore[union-attr]


def test_steps_that_leave_no_tree_are_followed_by_larger_ones() -> None:
    late = Family("late", lambda step: (Keep(max(0, step - 900)),), 999, 1_000)
    _, told = searched("trees:30", late)
    assert [one.pipeline for one in told[1:]] == ["Keep(trees=0)"] * 4
    assert (
        searched("trees:30", Family("soon", lambda step: (Keep(max(0, step - 100)),), 999, 1_000))[0].best is not None
    )


@pytest.mark.parametrize(
    ("target", "trees"), [("loss:+1%", 91), ("loss:1.05", 20), ("loss:+0.02%", 834), ("loss:+300%", 1)]
)
def test_smallest_model_within_a_loss(target: str, trees: int) -> None:
    search, told = searched(target, family("good", 1.0))
    found = best_of(search).trees
    assert trees <= found <= 1.3 * trees + 15
    assert len(told) <= 1 + 6


def test_each_model_is_told_of_with_the_best_so_far() -> None:
    told: list[tuple[int, int]] = []
    search = Search(parse_targets("trees:100"), Bench(), lambda candidates, best: told.append((len(candidates), best)))
    search.start(cast(Ensemble, Made(1_000, 1.0, 1.0)))
    search.over([family("weak", 0.5), family("good", 1.0)])
    assert told == [(1, -1), (2, 1), (3, 2)]


def test_better_family_wins_and_the_first_of_equal_ones() -> None:
    search, _ = searched("trees:100", family("weak", 0.5), family("good", 1.0), family("same", 1.0))
    assert search.best is not None
    assert search.best.tried.family == "good"
    assert search.place(search.best) == 2


def test_what_is_not_certain_counts_against_a_model() -> None:
    even, uneven = [1.0] * 8, [0.9, 1.1] * 4
    # Of 100 trees "surer" loses 0.018, and "good" 0.01 with a standard error of 0.1 √(8 / 7) / √8.
    search, told = searched(
        "trees:100", family("surer", 0.87), family("good", 1.001), pieces={1.0: even, 0.87: even, 1.001: uneven}
    )
    assert [one.standard_error for one in told] == [0.0, 0.0, pytest.approx(0.1 / 7**0.5)]
    assert search.best is not None
    assert search.best.tried.family == "surer"


def test_a_family_looks_only_below_what_is_known_to_keep_the_loss() -> None:
    search, told = searched("loss:+1%", family("good", 1.0), family("weak", 0.5))
    sizes = {name: [one.figures.trees for one in told if one.family == name] for name in ("good", "weak")}
    kept = min(one.figures.trees for one in told if one.family == "good" and one.keeps)
    assert max(sizes["weak"]) <= kept + REST // A_TREE
    assert search.best is not None
    assert search.best.tried.family == "good"


def test_a_family_with_one_step_is_tried_once() -> None:
    for target in ("size:0.5", "loss:+1%", "loss:-50%"):
        _, told = searched(target, Family("once", lambda step: (Keep(900),), 1, 1))
        assert [one.family for one in told] == ["given", "once"]


def test_target_out_of_reach_has_no_best_and_a_nearest() -> None:
    search, _ = searched("size:2KB", family("good", 1.0))
    assert search.best is None
    assert search.nearest.tried.figures.trees == 1
    search, _ = searched("loss:-10%", family("good", 1.0))
    assert search.best is None
    assert search.nearest.tried.family == "given"


def test_bounds_on_size_and_cost_are_kept_together() -> None:
    search, _ = searched("size:0.5, latency:0.1", family("good", 1.0))
    assert best_of(search).trees == 100
    search, _ = searched("size:0.1, latency:0.5", family("good", 1.0))
    assert 93 <= best_of(search).trees <= 95


def test_a_bound_on_the_loss_is_kept_with_a_standard_error_to_spare() -> None:
    even, uneven = [1.0] * 8, [0.9, 1.1] * 4  # with a standard error of 0.038
    pieces = {1.0: even, 1.001: uneven}
    search, told = searched("loss:1.05", family("uncertain", 1.001), pieces=pieces)
    assert all(one.keeps == (one.loss + one.standard_error <= 1.05) for one in told)
    assert 80 <= best_of(search).trees <= 110  # 1.012 and the error; 20 trees have 1.05
    search, _ = searched("loss:1.05", family("certain", 1.0), pieces=pieces)
    assert best_of(search).trees <= 26


def test_a_bound_on_the_loss_beside_another_one() -> None:
    search, _ = searched("loss:+1%, trees:200", family("good", 1.0))
    assert 91 <= best_of(search).trees <= 130
    search, _ = searched("loss:+1%, trees:50", family("good", 1.0))
    assert search.best is None
    assert 91 <= search.nearest.tried.figures.trees <= 130


def test_steps_go_in_proportion_and_then_along_lines() -> None:
    _, told = searched("size:0.25", family("good", 1.0))
    assert trees_of(told, "good") == [250, 243]
    # A line from 659 trees of step 125 to 470 of step 23 would leave the family, as would the next one.
    _, told = searched(
        "trees:125", Family("slow", lambda step: (Keep(int(1_000 * (step / 1_000) ** 0.2)),), 999, 1_000)
    )
    assert trees_of(told, "slow") == [659, 470, 359, 288]


@pytest.mark.parametrize(
    ("other", "tries"),
    [
        # Of 100 trees, which are over the bound, it loses 0.25, and the good one 0.01 of 95.
        (family("other", 0.3), 1),
        # Of 200 trees it loses less than that.
        (family("other", 0.91, times=2.0), 2),
        # Of 50 trees it loses 0.31; twice as many lose a quarter of it at the least.
        (family("other", 0.3, times=0.5), 1),
        # Of 50 trees it loses 0.03, a quarter of which would be better.
        (family("other", 0.9, times=0.5), 2),
    ],
)
def test_a_family_that_cannot_win_is_not_looked_at_further(other: Family, tries: int) -> None:
    _, told = searched("size:0.1", family("good", 1.0), other)
    assert len(trees_of(told, "other")) == tries
    _, told = searched("size:0.1", other, family("good", 1.0))
    assert len(trees_of(told, "other")) >= 2, "nothing is known that is better"


def test_families_may_win_that_are_better_than_the_given_model() -> None:
    # The given model loses 1.001, and one of 100 trees 0.999. Of 50 trees the other one is worse than both.
    known, other = family("known", 1.0, lowest=0.989), family("other", 1.0, lowest=0.984, times=0.5)
    search, told = searched("trees:100", known, other)
    assert trees_of(told, "other") == [50, 99]
    assert search.best is not None
    assert search.best.tried.family == "other"


def test_what_is_not_certain_of_the_best_keeps_other_families_in() -> None:
    # Of 50 trees "sure" loses 0.096, and 0.063 of 99; "lucky" loses 0.01, with a standard error of 0.06.
    even, uneven = [1.0] * 8, [0.84, 1.16] * 4
    pieces = {1.0: even, 1.001: uneven, 0.6: even}
    search, told = searched("trees:100", family("lucky", 1.001), family("sure", 0.6, times=0.5), pieces=pieces)
    assert trees_of(told, "sure") == [50, 99]
    assert search.best is not None
    assert search.best.tried.family == "sure"


def grown(name: str, power: float) -> Family:
    return replace(family(name, power), is_grown=True)


@pytest.mark.parametrize("lowest", [1.0, -1.0])
def test_trees_are_grown_where_the_model_s_own_lose_more_than_a_little(lowest: float) -> None:
    own, new = family("own", 1.0, lowest=lowest), (grown("new", 2.0), grown("newer", 2.0))
    search, told = searched("trees:300", *new, own, lowest=lowest)
    assert [one.family for one in told] == ["given", "own", "new", "newer"]
    search, told = searched("trees:400", *new, own, lowest=lowest)
    assert [one.family for one in told] == ["given", "own"]
    assert search.skipped == dict.fromkeys(("new", "newer"), "the model's own trees lose no more than 0.2%")


def test_trees_are_always_grown_within_a_loss() -> None:
    _, told = searched("loss:+0.2%", family("own", 1.0), grown("new", 2.0))
    assert "new" in {one.family for one in told}


def test_a_family_that_does_not_apply_is_left_out_with_its_reason() -> None:
    search, told = searched("size:0.5", Family("none", lambda step: (Keep(-1),), 9, 9), family("good", 1.0))
    assert search.skipped == {"none": "keep does not apply. Leave it out"}
    assert {one.family for one in told} == {"given", "good"}


def test_a_step_that_does_not_apply_ends_its_family_without_a_word() -> None:
    def passes(step: int) -> tuple[Keep, ...]:
        return (Keep(step if step > 400 else -1),)

    search, told = searched("trees:300", Family("large", passes, 999, 1_500), family("good", 1.0))
    assert search.skipped == {}
    assert [one.family for one in told] == ["given", "large", "good"]


def test_two_searches_try_the_same() -> None:
    runs = [searched("loss:+1%", family("weak", 0.5), family("good", 1.0))[0] for _ in range(2)]
    pipelines = [[one.tried.pipeline for one in run.candidates] for run in runs]
    assert pipelines[0] == pipelines[1]


def test_words_of_a_pipeline_leave_defaults_out() -> None:
    assert words_of([Keep(3), Keep(4, power=0.5)]) == "Keep(trees=3) → Keep(trees=4, power=0.5)"
    assert words_of([]) == "as it is"
