"""The pipelines that are tried for a target: families with one knob each, the cheap ones first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gbdist.compression.passes.base import Pass
from gbdist.compression.passes.depth import ReduceDepth
from gbdist.compression.passes.distil import Distil
from gbdist.compression.passes.drop import Drop
from gbdist.compression.passes.merge import MergeTrees
from gbdist.compression.passes.reweight import Reweight
from gbdist.compression.passes.tables import PruneTables, bytes_of_tables
from gbdist.models.ensemble import Ensemble
from gbdist.models.tree import ObliviousTree

#: A share of the leaves is told apart from another one by so much at least.
_SHARES: Final = 100
#: So much of the tables of statistics says nearly all that they say.
_TABLES: Final = 0.1
#: How deep a student's trees are where the model's are not symmetric, at most as deep as CatBoost's default.
_DEPTH: Final = 6
#: A student that is re-weighted is grown with so many times the trees that are left of it.
_GROWN: Final = 2


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


def families_for(ensemble: Ensemble) -> tuple[Family, ...]:
    """What is tried for a model: exact merging, then what picks trees, then what grows new ones."""
    n, depth = len(ensemble.trees), _student_depth(ensemble)
    found = [Family("merge", lambda step: (MergeTrees(),), 1, 1)]
    if n > 1:
        found += [
            Family("prefix", lambda step: (Drop(how="prefix", trees=step),), n - 1, n),
            Family("reweight", lambda step: (Reweight(trees=step),), n - 1, n),
        ]
    found.append(Family("depth", _shallow, _SHARES - 1, _SHARES))
    if bytes_of_tables(ensemble):
        tables = PruneTables(share=_TABLES)
        found.append(Family("tables, depth", lambda step: (tables, *_shallow(step)), _SHARES - 1, _SHARES))
    students = _trees_of_depth(ensemble, depth)
    found.append(Family("distil", lambda step: (Distil(trees=step, depth=depth),), students, students))
    found.append(
        Family(
            "distil, reweight",
            lambda step: (Distil(trees=_GROWN * step, depth=depth), Reweight(trees=step)),
            students,
            students,
        )
    )
    if depth > 1:
        shallow = _trees_of_depth(ensemble, depth - 1)
        found.append(Family("distil, shallower", lambda step: (Distil(trees=step, depth=depth - 1),), shallow, shallow))
    return tuple(found)


def _shallow(step: int) -> tuple[Pass, ...]:
    """Trees with fewer leaves are parts of others more often, which merging takes out."""
    return ReduceDepth(share=step / _SHARES), MergeTrees()


def _student_depth(ensemble: Ensemble) -> int:
    """How deep trees of a student are: as the model's."""
    depths = [tree.depth if isinstance(tree, ObliviousTree) else _DEPTH for tree in ensemble.trees]
    return max(1, *depths)


def _trees_of_depth(ensemble: Ensemble, depth: int) -> int:
    """How many symmetric trees of a depth have as many leaves as the model."""
    return max(1, sum(tree.n_leaves for tree in ensemble.trees) >> depth)
