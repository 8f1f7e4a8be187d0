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
#: A student that is re-weighted is grown with so many times the trees that are left of it.
_GROWN: Final = 2
#: Values of leaves that were moved towards the teacher move on towards labels, by little: rows of the training are among them.
_TO_TEACHER: Final = Refit(steps=5)
_TO_LABELS: Final = Refit(towards="labels", steps=4, l2=3000.0)
#: Factors of trees by labels are held more than those that come close to the model: labels are learned by heart.
_RIDGE_BY_LABELS: Final = 1.0
#: So many rows to choose by tell a model that has learned rows by heart from others.
_LEAST_CHOICE: Final = 2_000
#: So much of the tables of statistics says nearly all that they say.
_PRUNED: Final = PruneTables(share=0.1)
#: Less of them, where labels make up for it.
_PRUNED_MORE: Final = PruneTables(share=0.05)

#: The pipeline for a step: larger steps leave larger models.
PassesOf = Callable[[int], tuple[Pass, ...]]
#: So many of the trees, with other values.
_OF_TREES: Final[dict[str, PassesOf]] = {
    "prefix": lambda trees: (Drop(how="prefix", trees=trees),),
    "reweight": lambda trees: (Reweight(trees=trees),),
    "reweight, refit": lambda trees: (Reweight(trees=trees), _TO_TEACHER),
    "reweight by labels": lambda trees: (_by_labels(trees),),
    "reweight, labels": lambda trees: (Reweight(trees=trees), _TO_TEACHER, _TO_LABELS),
}
#: So many of them that ask for few tables, which leaves room for more trees.
_OF_FEW_TABLES: Final[dict[str, PassesOf]] = {
    "tables, reweight by labels": lambda trees: (_PRUNED_MORE, _by_labels(trees)),
    "reweight, tables": lambda trees: (Reweight(trees=trees), _PRUNED, _TO_TEACHER),
    "reweight, tables, labels": lambda trees: (Reweight(trees=trees), _PRUNED, _TO_TEACHER, _TO_LABELS),
}


@dataclass(frozen=True)
class Family:
    """Pipelines that differ in how large a model they leave.

    Parameters
    ----------
    passes : callable
        The pipeline for a step from 1 to ``most``.
    whole : int
        The step at which there would be as many leaves as in the model that was given; it may be beyond ``most``.
    is_grown : bool
        Whether trees are new ones, in place of the model's own.
    """

    name: str
    passes: PassesOf
    most: int
    whole: int
    is_grown: bool = False

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
    return any(isinstance(one, (Refit, Reweight)) and one.towards == "labels" for one in passes)


def _all_families(ensemble: Ensemble) -> tuple[Family, ...]:
    n, has_tables = len(ensemble.trees), bool(bytes_of_tables(ensemble))
    found = [Family("merge", lambda step: (MergeTrees(),), 1, 1)]
    if n > 1:
        of_trees = {**_OF_TREES, **(_OF_FEW_TABLES if has_tables else {})}
        found += [Family(name, passes, n - 1, n) for name, passes in of_trees.items()]
    # A tree keeps a leaf at least: smaller steps are taken for the first one that does not ask for less.
    least = math.floor(_SHARES * n / max(1, ensemble.n_leaves)) + 1
    if least < _SHARES:
        found.append(Family("depth", lambda step: _shallow(max(step, least)), _SHARES - 1, _SHARES))
    if has_tables:
        found.append(Family("tables, depth", lambda step: (_PRUNED, *_shallow(step)), _SHARES - 1, _SHARES))
    return (*found, *_students(ensemble, has_tables))


def _students(ensemble: Ensemble, has_tables: bool) -> list[Family]:
    """New trees that say what the model says.

    Those of all columns ask for nearly all tables, and take long to find them: of adult and diamonds, categories included, they
    were 1 to 6 % worse than others of their size.
    """
    n, depth = len(ensemble.trees), _student_depth(ensemble)
    trees, shallower = (_trees_of_depth(ensemble, each) for each in (depth, depth - 1))
    found = []
    if n > 1:
        most = min(trees, n - 1)
        found.append(Family("reweight, distil", lambda step: _of_chosen(step, depth), most, trees, is_grown=True))
    if not has_tables:
        found.append(Family("distil, reweight", lambda step: _reweighted(step, depth), trees, trees, is_grown=True))
    if not has_tables and depth > 1:
        found.append(
            Family("distil, shallower", lambda step: (Distil(step, depth - 1),), shallower, shallower, is_grown=True)
        )
    return found


def _shallow(step: int) -> tuple[Pass, ...]:
    """Trees with fewer leaves are parts of others more often, which merging takes out."""
    return ReduceDepth(share=step / _SHARES), MergeTrees()


def _by_labels(trees: int) -> Reweight:
    return Reweight(trees=trees, towards="labels", ridge=_RIDGE_BY_LABELS)


def _of_chosen(trees: int, depth: int) -> tuple[Pass, ...]:
    """A student that tests what the model's best trees test, somewhat fewer than its own: of few tables, and soon grown."""
    return Reweight(trees=max(1, 5 * trees // 6)), Distil(trees=trees, depth=depth)


def _reweighted(trees: int, depth: int) -> tuple[Pass, ...]:
    return Distil(trees=_GROWN * trees, depth=depth), Reweight(trees=trees)


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
