"""The rows that a compression is given, dealt into parts: sets with the features of a model, or an error that tells why not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gbdist.compression.shares import PARTS, Part, Shares, halves
from gbdist.errors import DataError
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.inputs import Parts, collect
from gbdist.estimators.preparation.pipeline import Source
from gbdist.models.ensemble import Ensemble
from gbdist.quantize.unbinned import HASHED

#: So many columns are named in an error.
_NAMED = 10


def sources_of_parts(
    ensemble: Ensemble,
    cat_nan: str | None,
    given: tuple[Any, Any, Any],
    holdout: Sequence[Any] | None,
    shares: Shares,
    seed: int,
) -> tuple[list[Part], list[Source]]:
    """The parts that there are, passes first, and their rows."""
    if holdout is not None and (not isinstance(holdout, tuple | list) or len(holdout) not in (2, 3)):
        raise DataError("holdout", f"a {type(holdout).__name__}", "(X, y) or (X, y, sample_weight)", "Pass a tuple.")
    whole = _collected(ensemble, cat_nan, "", *given)
    if holdout is not None:
        held = _collected(ensemble, cat_nan, "holdout", *holdout)
        if shares.choice == 0.0:
            return ["passes", "holdout"], [Source(whole), Source(held, "holdout")]
        sides = halves(seed)
        return ["passes", *sides], [Source(whole), *(Source(held, "holdout", side) for side in sides.values())]
    wanted = {"passes": 1.0, "choice": shares.choice, "holdout": shares.holdout}
    parts: list[Part] = [part for part in PARTS if wanted[part] > 0.0]
    if len(parts) == 1:
        return parts, [Source(whole)]
    return parts, [Source(whole, "" if part == "passes" else part, shares.side(part, seed)) for part in parts]


def _collected(ensemble: Ensemble, cat_nan: str | None, name: str, X: Any, y: Any, sample_weight: Any = None) -> Parts:
    """A data set with the model's features; DataError, which says ``name``, for others."""
    if isinstance(X, DaskPool):
        expected = "a table or a Dask collection: a pool holds bins of its own borders"
        raise DataError(name or "X", "a DaskPool", expected, "Pass the collection that the pool was made of.")
    try:
        parts = collect(X, y, sample_weight)
    except DataError as error:
        raise _of(name, error) from None
    _check_features(ensemble, parts, name)
    unbinned = tuple((position, HASHED) for position in ensemble.categories.positions)
    return replace(parts, unbinned=unbinned, cat_nan=cat_nan)


def _check_features(ensemble: Ensemble, parts: Parts, name: str) -> None:
    """DataError unless the columns are the model's: by their names where both have some, else in their number."""
    expected, found = ensemble.feature_names, parts.feature_names
    unnamed = expected == tuple(str(number) for number in range(len(expected)))
    named = parts.labels is not None and not unnamed
    if found == expected if named else len(found) == len(expected):
        return
    where, told = f"{name}, X" if name else "X", f"{len(found)} columns"
    if named:
        missing = [each for each in expected if each not in found]
        extra = [each for each in found if each not in expected]
        told += f", without {_some(missing)}" if missing else ""
        told += f", with {_some(extra)}" if extra else ""
        told += ", in another order" if not missing and not extra else ""
    fix = "Pass the columns that the model was trained on, model.feature_names_, in their order."
    raise DataError(where, told, f"the {len(expected)} features of the model", fix)


def _some(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


def about_parts(error: DataError, parts: Sequence[Part]) -> DataError:
    """The same error; of a part of X that has got no row it says what helps."""
    where, found, expected, _ = error.args
    if found.startswith("0 rows") and where in {f"{part}, X" for part in parts}:
        return DataError(where, found, expected, "Pass more rows, of which parts are held out, or a holdout.")
    return error


def _of(name: str, error: DataError) -> DataError:
    """The same error, saying which data set it is about."""
    where, *others = error.args
    return error if not name else DataError(f"{name}, {where}", *others)
