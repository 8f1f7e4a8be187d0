"""Few of the trees, each made stronger: a sparse combination of trees that says what all of them say."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from gbdist.compression.passes.aims import Aim, Towards
from gbdist.compression.passes.base import Pass, PassData
from gbdist.compression.passes.gram import normal_equations
from gbdist.compression.passes.sizes import check_several, check_size, is_number, rows_given, size_of
from gbdist.compression.passes.subsets import Factors, Rule, eliminate, penalize, pursue
from gbdist.errors import ParameterError
from gbdist.models.ensemble import Ensemble

_METHODS = {"omp": pursue, "backward": eliminate, "lasso": penalize}


@dataclass(frozen=True)
class Reweight(Pass):
    """Keep some trees, and multiply the leaf values of each by a factor of its own.

    Trees and factors are those that come close, in curvature-weighted squares, to the raw predictions of the model that the
    compression began with. All rows are passed over once (``gram``).

    Parameters
    ----------
    trees, share : int or float
        How many trees are left, or which share of them; one of both. There may be fewer, where no others help.
    method : str
        "omp": matching pursuit, from none upwards; "backward": from all trees downwards, a few times as long; "lasso": those
        with a penalty on factors.
    positive : bool
        No tree is turned round. Keeps monotone columns monotone.
    ridge : float
        How much factors are drawn to 0, as a share of the mean of the trees' squares; it keeps what later trees learned by heart
        from weighing as much as what the first ones learned.
    towards : str
        "teacher", or "labels": a step from there towards the rows' labels, for rows that the model was not trained on.
    copies, noise : int or None, float
        Copies of the rows with some cells of other rows, beside the rows themselves; see ``Aim``.
    """

    trees: int | None = None
    share: float | None = None
    method: Literal["omp", "backward", "lasso"] = "omp"
    positive: bool = True
    ridge: float = 0.1
    towards: Towards = "teacher"
    copies: int | None = None
    noise: float = 0.3

    name: ClassVar[str] = "reweight"
    needs_rows: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_size(self.trees, self.share)
        Aim(self.towards, self.copies, self.noise)  # refuses what is none
        if not (is_number(self.ridge) and 0.0 < self.ridge < math.inf):
            raise ParameterError("ridge", self.ridge, "a number above 0", "Leave it out for 0.1.")
        if not isinstance(self.positive, bool):
            raise ParameterError("positive", self.positive, "True or False", "Leave it out for True.")
        if self.method not in _METHODS:
            fix = "Leave it out for 'omp'."
            raise ParameterError("method", self.method, f"one of {', '.join(map(repr, _METHODS))}", fix)

    def apply(self, ensemble: Ensemble, data: PassData | None) -> Ensemble:
        """See ``Pass``."""
        data = rows_given(data, self.name)
        check_several(ensemble, self.name)
        size = size_of(ensemble, self.trees, self.share)
        equations = normal_equations(ensemble, data, Aim(self.towards, self.copies, self.noise))
        return scaled(ensemble, _METHODS[self.method](equations, size, Rule(self.positive, self.ridge), data.check))


def scaled(ensemble: Ensemble, factors: Factors) -> Ensemble:
    """The chosen trees, in their order, with leaf values multiplied, and the start value moved."""
    trees = tuple(
        replace(ensemble.trees[tree], leaf_values=ensemble.trees[tree].leaf_values * factor)
        for tree, factor in zip(factors.trees.tolist(), factors.factors.tolist(), strict=True)
    )
    return replace(ensemble, trees=trees, bias=ensemble.bias + factors.shift)
