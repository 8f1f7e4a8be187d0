"""What passes over trees check first: how many trees they are to leave, and that there are rows to ask."""

import math

import numpy as np

from gbdist.compression.passes.base import PassData
from gbdist.errors import DataError, ModelError, ParameterError
from gbdist.models.ensemble import Ensemble


def is_number(value: object, kind: type = float) -> bool:
    """Whether a value is an int, or for ``float`` any real number; bools are none."""
    kinds = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool)


def check_size(trees: int | None, share: float | None) -> None:
    """ParameterError unless exactly one is given, trees at least 1, a share above 0 and at most 1."""
    if (trees is None) == (share is None):
        raise ParameterError(
            "trees", trees, f"either trees or share, and share={share!r}", "Say how many trees to keep by one of them."
        )
    if trees is not None and not (is_number(trees, int) and trees >= 1):
        raise ParameterError("trees", trees, "a whole number, at least 1", "Say how many trees to keep.")
    if share is not None and not (is_number(share) and 0.0 < share <= 1.0):
        raise ParameterError("share", share, "above 0 and at most 1", "Say what share of the trees to keep: 0.25.")


def size_of(ensemble: Ensemble, trees: int | None, share: float | None) -> int:
    """How many trees of an ensemble to keep; a share leaves one at least.

    Raises
    ------
    ModelError
        Where more are asked for than there are.
    """
    n = len(ensemble.trees)
    if trees is not None and trees > n:
        raise ModelError(
            f"trees={trees} cannot be kept of a model of {n}", f"Ask for at most {n} trees, or for a share of them."
        )
    return trees if trees is not None else max(1, math.floor((share or 0.0) * n))


def check_several(ensemble: Ensemble, name: str) -> None:
    """ModelError for an ensemble of one tree or none, which a pass that leaves some of several cannot shrink."""
    n = len(ensemble.trees)
    if n < 2:
        raise ModelError(
            f"{name} needs a model of at least 2 trees, and this one has {n}", f"Leave the pass {name} out."
        )


def rows_given(data: PassData | None, name: str) -> PassData:
    """The rows of a pass that needs some.

    Raises
    ------
    DataError
        Where it was given none.
    """
    if data is None:
        raise DataError(f"pass {name!r}", "no rows", "rows with labels", "Give data, or leave the pass out.")
    return data
