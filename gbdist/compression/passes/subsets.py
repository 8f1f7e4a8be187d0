"""Which columns of normal equations to keep, and with what factors: least squares by steps, and by a penalty."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.passes.gram import NormalEquations
from gbdist.kernels.cpu_sweep import descend, sweep

#: Columns of which the chosen ones leave no more than this share are taken for sums of them.
_LEAST_LEFT = 1e-9
_DESCENTS, _HALVINGS, _PENALTY_STEP = 100, 12, 0.8
_TOLERANCE = 1e-5

Check = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Factors:
    """What is left of an ensemble.

    Parameters
    ----------
    trees : int64 [n]
        By number, ascending.
    factors : float64 [n]
        What their leaf values are multiplied by.
    shift : float64 [dimension]
        What is added to the start value.
    """

    trees: NDArray[np.int64]
    factors: NDArray[np.float64]
    shift: NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """What factors may be.

    Parameters
    ----------
    positive : bool
        None below 0: trees whose factors would be are left out.
    ridge : float
        How much they are drawn to 0: what is added to the trees' squares, as a share of their mean.
    """

    positive: bool
    ridge: float


class Subset:
    """Least squares on some of the trees, which come and go one at a time; constants are always in.

    Parameters
    ----------
    equations : NormalEquations
    rule : Rule
    check : callable
        Asked after each step whether to go on.
    """

    def __init__(self, equations: NormalEquations, rule: Rule, check: Check) -> None:
        self._k, self._positive, self._check = equations.dimension, rule.positive, check
        self._form = _form_of(equations)
        n = self._form.shape[0] - 1
        diagonal = self._form.diagonal()[self._k : n]
        ridge = rule.ridge * math.fsum(diagonal.tolist()) / max(n - self._k, 1)
        self._form[range(self._k, n), range(self._k, n)] += ridge
        self._own = self._form.diagonal().copy()
        self._inside = np.zeros(n + 1, np.bool_)
        for constant in range(self._k):
            sweep(self._form, constant, True)

    @property
    def size(self) -> int:
        """How many trees are in."""
        return int(self._inside.sum())

    def grow(self, size: int) -> None:
        """Take in the tree that explains most of what is left, until there are ``size`` or no tree explains any more."""
        for _ in range(4 * size):  # positive factors may send trees away; no more rounds than this are worth it
            if self.size >= size or not self._take_best():
                return
            self._check()
            self._send_negative_away()

    def fill(self) -> None:
        """Take in all trees, the first one first."""
        for column in range(self._k, self._form.shape[0] - 1):
            if self._form[column, column] > _LEAST_LEFT * self._own[column]:
                self._take(column)
                self._check()
        self._send_negative_away()

    def shrink(self, size: int) -> None:
        """Let go of the tree without which least squares lose least, until there are ``size``."""
        while self.size > size:
            # Σ of squares grows by w²/(G⁻¹) where a column leaves.
            loss = self._form[:, -1] ** 2 / np.where(self._inside, -self._form.diagonal(), 1.0)
            self._leave(int(np.where(self._inside, loss, np.inf).argmin()))
            self._check()
            self._send_negative_away()

    def factors(self) -> Factors:
        """The trees that are in, with the factors of least squares."""
        columns = np.flatnonzero(self._inside)
        return Factors(columns - self._k, self._form[columns, -1].copy(), self._form[: self._k, -1].copy())

    def take(self, trees: NDArray[np.int64]) -> None:
        """Take in certain trees."""
        for tree in trees.tolist():
            if self._form[self._k + tree, self._k + tree] > _LEAST_LEFT * self._own[self._k + tree]:
                self._take(self._k + tree)
        self._send_negative_away()

    def _take_best(self) -> bool:
        left, products = self._form.diagonal(), self._form[:, -1]
        free = ~self._inside & (left > _LEAST_LEFT * self._own)
        free[: self._k] = free[-1] = False
        free &= products > 0.0 if self._positive else products != 0.0
        if not free.any():
            return False
        gain = products**2 / np.where(free, left, 1.0)
        self._take(int(np.where(free, gain, -1.0).argmax()))
        return True

    def _send_negative_away(self) -> None:
        while self._positive:
            factors = np.where(self._inside, self._form[:, -1], np.inf)
            least = int(factors.argmin())
            if factors[least] > 0.0:
                return
            self._leave(least)

    def _take(self, column: int) -> None:
        sweep(self._form, column, True)
        self._inside[column] = True

    def _leave(self, column: int) -> None:
        sweep(self._form, column, False)
        self._inside[column] = False


def pursue(equations: NormalEquations, size: int, rule: Rule, check: Check) -> Factors:
    """Orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad 1993), of the tree that lowers the error most."""
    subset = Subset(equations, rule, check)
    subset.grow(size)
    return subset.factors()


def eliminate(equations: NormalEquations, size: int, rule: Rule, check: Check) -> Factors:
    """All trees, then without the one that matters least, and so on."""
    subset = Subset(equations, rule, check)
    subset.fill()
    subset.shrink(size)
    return subset.factors()


def penalize(equations: NormalEquations, size: int, rule: Rule, check: Check) -> Factors:
    """The trees of the lasso of the least penalty that leaves at most ``size``, with the factors of least squares.

    Each tree pays for the size of what it adds: a penalty times the root of G's diagonal. Several trees may come at the same
    penalty; where all of them would be too many, those that are wanting are the ones of pursuit.
    """
    path = _LassoPath(equations, rule.positive, check)
    while path.low > path.tolerance and path.may(_PENALTY_STEP * path.low, size):
        pass
    for _ in range(_HALVINGS):
        path.may(0.5 * (path.low + path.high), size)
    subset = Subset(equations, rule, check)
    subset.take(np.flatnonzero(path.factors))
    subset.grow(size)
    return subset.factors()


class _LassoPath:
    """Solutions of the lasso: of ``high``, the least penalty known to leave few enough trees; ``low`` is the last one tried."""

    def __init__(self, equations: NormalEquations, positive: bool, check: Check) -> None:
        self._matrix, products = _without_constants(equations)
        self._positive, self._check = positive, check
        self._unit = np.sqrt(np.maximum(self._matrix.diagonal(), 0.0))
        pulls = products if positive else np.abs(products)
        shares = np.divide(pulls, self._unit, out=np.zeros_like(pulls), where=self._unit > 0.0)
        self.high = self.low = float(shares.max(initial=0.0))
        self.tolerance = _TOLERANCE * self.high
        self.factors, self._residual = np.zeros_like(products), products

    def may(self, penalty: float, size: int) -> bool:
        """Whether a penalty leaves at most ``size`` trees; it becomes ``high`` or ``low``."""
        factors, residual = self.factors.copy(), self._residual.copy()
        for _ in range(_DESCENTS):
            self._check()
            if descend(self._matrix, penalty * self._unit, self._positive, factors, residual) <= self.tolerance:
                break
        self.low = penalty
        if np.count_nonzero(factors) > size:
            return False
        self.high, self.factors, self._residual = penalty, factors, residual
        return True


def order_of_removal(equations: NormalEquations, check: Check) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """In which order trees go if each time the one goes without which the squared error grows least, others as they are.

    Constants make up for the mean of what is gone. Order int64 [n_trees], and shifts of the start value after each removal,
    float64 [n_trees, dimension].
    """
    k, n = equations.dimension, equations.n_trees
    matrix, products = _without_constants(equations)
    # The residual's products with the trees, while all are in.
    pulls = products - np.array([math.fsum(row) for row in matrix.tolist()])
    diagonal, inside = matrix.diagonal().copy(), np.ones(n, np.bool_)
    means = equations.matrix[:k, k:] / equations.matrix.diagonal()[:k, np.newaxis]
    left = (equations.products[:k] - np.array([math.fsum(row) for row in equations.matrix[:k, k:].tolist()])) / (
        equations.matrix.diagonal()[:k]
    )
    order, shifts = np.empty(n, np.int64), np.empty((n, k))
    for place in range(n):
        check()
        tree = int(np.where(inside, 2.0 * pulls + diagonal, np.inf).argmin())
        inside[tree] = False
        pulls += matrix[tree]
        left = left + means[:, tree]
        order[place], shifts[place] = tree, left
    return order, shifts


def _without_constants(equations: NormalEquations) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """G and c of what constants do not explain of the trees."""
    k, form = equations.dimension, _form_of(equations)
    for constant in range(k):
        sweep(form, constant, True)
    return np.ascontiguousarray(form[k:-1, k:-1]), form[k:-1, -1].copy()


def _form_of(equations: NormalEquations) -> NDArray[np.float64]:
    """G, and c and the square beside it, float64 [n + 1, n + 1]: what columns are swept in."""
    n = equations.matrix.shape[0]
    form = np.empty((n + 1, n + 1))
    form[:n, :n] = equations.matrix
    form[n, :n] = form[:n, n] = equations.products
    form[n, n] = equations.square
    return form
