"""What a study is of, as it is kept with it: a study that is gone on with must be of the same."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from dask.base import tokenize

from gbdist.boosting.collective import Collective
from gbdist.estimators.gang_run import gang_of
from gbdist.estimators.pool import DaskPool
from gbdist.estimators.preparation.quantized import layout_of, rows_of_rank
from gbdist.estimators.sources import Given
from gbdist.selection.searching.opening import VERSION
from gbdist.selection.searching.spaces import Space, as_text
from gbdist.snapshots.digest import data_digest
from gbdist_cluster.gang import RankContext, run_on_gang

#: What does not change a score.
_ASIDE: Final = ("client", "verbose", "silent", "logging_level", "thread_count", "n_jobs", "bins_on_disk")


def identity_of(
    estimator: Any, space: Space, cv: Any, scorers: Sequence[Any], data: str, search: str
) -> dict[str, Any]:
    """The parts by which a study is known again, and ``digest``, a text that they decide.

    ``data`` is ``data_of``'s answer. ``search`` says how it is searched: another search is another study unless the user names
    one, which any search may go on with.
    """
    parts = {
        "version": VERSION,
        "estimator": _in_words(estimator),
        "space": space.in_words(),
        "folds": repr(cv) if not isinstance(cv, list | tuple) else f"{len(cv)} pairs, {tokenize(list(cv))}",
        "scoring": [scorer.name if scorer.metric is None else f"{scorer.name}: {scorer.metric}" for scorer in scorers],
        "data": data,
        "search": search,
    }
    return {**parts, "digest": hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()}


def _in_words(value: Any) -> str:
    """An estimator, also one within another, with the parameters that change a score; any other value as a text."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_in_words, value))}]"
    if not hasattr(value, "get_params") or isinstance(value, type):
        return as_text(value)
    params = value.get_params(deep=False)
    given = [name for name in sorted(params) if name not in _ASIDE and params[name] is not None]
    return f"{type(value).__name__}({', '.join(f'{name}={_in_words(params[name])}' for name in given)})"


def data_of(given: Given, pool: DaskPool | None) -> str:
    """By what a data set is known again: all of its values, of a pool its bins and labels; of other collections the columns."""
    if pool is not None:
        members = gang_of([pool.data])
        (found, *_) = run_on_gang(pool.client, _digest, members=members, shared=layout_of(pool.data, None))
        return str(found)
    parts = given.collect()
    if parts.lazy:
        return f"columns {tokenize(list(parts.feature_names), [str(kind) for kind in getattr(given.X, 'dtypes', [])])}"
    listed = [given.X, given.y, given.sample_weight, given.group_id]
    return str(tokenize([one if isinstance(one, str | None) else _plain(one) for one in listed]))


def _plain(values: Any) -> Any:
    """Values that are hashed as they are: others would be by what they have cached."""
    return values if hasattr(values, "columns") or hasattr(values, "tocsr") else np.asarray(values)


def _digest(context: RankContext) -> str:
    """The routine: a text that follows from all rows, the same for any workers and partitions."""
    rows = rows_of_rank([context.shared], context.shards, context.rank)
    collective: Collective = context.collective
    return hashlib.sha256(repr(data_digest(rows, collective, context.threads)).encode()).hexdigest()
