"""The pipelines that are tried for a target: families with one knob each, the cheap ones first."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gbdist.compression.passes.base import Pass
from gbdist.compression.passes.depth import ReduceDepth
from gbdist.compression.passes.distil import Distil
from gbdist.compression.passes.drop import Drop
from gbdist.compression.passes.merge import MergeTrees
from gbdist.compression.passes.refit import Refit
from gbdist.compression.passes.reweight import Reweight
from gbdist.compression.passes.tables import PruneTables, bytes_of_tables
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree

#: A share of the leaves is told apart from another one by so much at least.
_SHARES: Final = 100
#: How deep a student's trees are at most where the model's are not symmetric: CatBoost's default.
_DEPTH: Final = 6
#: A student that is re-weighted is grown with so many times the trees that are left of it; one that is to need fewer tables of
#: categories is grown on the first trees of the model, so many times its own.
_GROWN: Final = 2
#: Values of leaves that were moved towards the teacher move on towards labels, by little: rows of the training are among them.
_TO_TEACHER: Final = Refit(steps=5)
_TO_LABELS: Final = Refit(towards="labels", steps=2, l2=1000.0)
_REFIT_STUDENT: Final = (Refit(steps=3), Refit(towards="labels", steps=1, l2=300.0))
#: So many rows to choose by tell a model that has learned rows by heart from others.
_LEAST_CHOICE: Final = 2_000
#: So much of the tables of statistics says nearly all that they say.
_PRUNED: Final = PruneTables(share=0.1)


@dataclass(frozen=True)
class Family:
    """Pipelines that differ in how large a model they leave.

    Parameters
    ----------
    passes : callable
        The pipeline for a step from 1 to ``most``; larger steps leave larger models.
    whole : int
        The step at which a model would be about as large as the one that was given; it may be beyond ``most``.
    """

    name: str
    passes: Callable[[int], tuple[Pass, ...]]
    most: int
    whole: int

    def step(self, share: float) -> int:
        """The step for a share of the given model's leaves."""
        return max(1, min(self.most, int(share * self.whole)))


def families_for(ensemble: Ensemble, n_choice: int) -> tuple[Family, ...]:
    """What is tried for a model: exact merging, then what picks trees, then what grows new ones.

    Passes that aim at labels learn rows of the training by heart where these are few. Too few rows to choose by, ``n_choice``, do
    not tell (238 of higgs took a model for the best that was 7.8 % worse on others), so that such passes are left out then.
    """
    found = _all_families(ensemble)
    return found if n_choice >= _LEAST_CHOICE else tuple(one for one in found if not _aims_at_labels(one.passes(1)))


def _aims_at_labels(passes: tuple[Pass, ...]) -> bool:
    return any(
        (isinstance(one, Refit) and one.towards == "labels") or (isinstance(one, Distil) and one.labels > 0.0)
        for one in passes
    )


def _all_families(ensemble: Ensemble) -> tuple[Family, ...]:
    n, depth, has_tables = len(ensemble.trees), _student_depth(ensemble), bool(bytes_of_tables(ensemble))
    students = _trees_of_depth(ensemble, depth)
    found = [Family("merge", lambda step: (MergeTrees(),), 1, 1)]
    if n > 1:
        found += [
            Family("prefix", lambda step: (Drop(how="prefix", trees=step),), n - 1, n),
            Family("reweight", lambda step: (Reweight(trees=step),), n - 1, n),
            Family("reweight, refit", lambda step: (Reweight(trees=step), _TO_TEACHER), n - 1, n),
            Family("reweight, labels", lambda step: (Reweight(trees=step), _TO_TEACHER, _TO_LABELS), n - 1, n),
            Family("reweight, distil", lambda step: _of_chosen(step, depth), min(students, n - 1), students),
            Family(
                "reweight, distil, labels",
                lambda step: (Reweight(trees=min(n, 6 * step // 5)), Distil(trees=step, depth=depth, labels=0.3)),
                min(students, n - 1),
                students,
            ),
        ]
    if n > 1 and has_tables:
        found.append(Family("reweight, tables", lambda step: (Reweight(trees=step), _PRUNED, _TO_TEACHER), n - 1, n))
    # A tree keeps a leaf at least: smaller steps are taken for the first one that does not ask for less.
    least = math.floor(_SHARES * n / max(1, ensemble.n_leaves)) + 1
    if least < _SHARES:
        found.append(Family("depth", lambda step: _shallow(max(step, least)), _SHARES - 1, _SHARES))
    if has_tables:
        found.append(Family("tables, depth", lambda step: (_PRUNED, *_shallow(step)), _SHARES - 1, _SHARES))
    if n > _GROWN:
        found.append(
            Family(
                "prefix, distil, refit",
                lambda step: (Drop(how="prefix", trees=_GROWN * step), _student(step, depth), *_REFIT_STUDENT),
                min(students, (n - 1) // _GROWN),
                students,
            )
        )
    return (
        *found,
        Family("distil, refit", lambda step: (_student(step, depth), *_REFIT_STUDENT), students, students),
        Family(
            "distil, reweight",
            lambda step: (Distil(trees=_GROWN * step, depth=depth), Reweight(trees=step)),
            students,
            students,
        ),
        *_shallower(ensemble, depth),
    )


def _shallow(step: int) -> tuple[Pass, ...]:
    """Trees with fewer leaves are parts of others more often, which merging takes out."""
    return ReduceDepth(share=step / _SHARES), MergeTrees()


def _of_chosen(trees: int, depth: int) -> tuple[Pass, ...]:
    """A student that tests what the model's best trees test, somewhat fewer than its own: of few tables, and soon grown."""
    return Reweight(trees=max(1, 5 * trees // 6)), Distil(trees=trees, depth=depth)


def _student(trees: int, depth: int) -> Distil:
    return Distil(trees=trees, depth=depth, learning_rate=0.6, likeness=0.02)


def _shallower(ensemble: Ensemble, depth: int) -> list[Family]:
    """A student of more and shallower trees."""
    if depth == 1:
        return []
    trees = _trees_of_depth(ensemble, depth - 1)
    return [Family("distil, shallower", lambda step: (Distil(trees=step, depth=depth - 1),), trees, trees)]


def _student_depth(ensemble: Ensemble) -> int:
    """How deep trees of a student are: as the model's, or deep enough for as many leaves as the largest of others has."""
    depths = [
        tree.depth if isinstance(tree, ObliviousTree) else min(_DEPTH, (tree.n_leaves - 1).bit_length())
        for tree in ensemble.trees
    ]
    return max(1, *depths)


def _trees_of_depth(ensemble: Ensemble, depth: int) -> int:
    """How many symmetric trees of a depth have as many leaves as the model."""
    return max(1, ensemble.n_leaves >> depth)
