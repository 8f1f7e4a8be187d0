"""The cluster does not change the model: workers, partitions, threads and ranks leave no trace in the file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor
from gbdist.boosting.loop import boost
from gbdist.boosting.params import BoostParams
from gbdist.boosting.result import BoostResult
from gbdist.boosting.rows import Rows, Segment
from gbdist.estimators import local_run
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.parameters.cuts import quantize_params
from gbdist.estimators.preparation.inputs import collect
from gbdist.estimators.preparation.pipeline import Source
from gbdist.estimators.setup import set_up
from gbdist.models.catboost_format import fixed_cbm_bytes
from gbdist.quantize.cells import borders_in
from gbdist_cluster.collective.threads import run_threads


@dataclass(frozen=True)
class Case:
    """A loss, the rows that it is trained on, and parameters."""

    loss: str
    data: Callable[[], pd.DataFrame]
    given: dict[str, Any]
    target: str | list[str] = "y"

    @property
    def classifier(self) -> bool:
        return not self.loss.startswith(("RMSE", "Quantile", "Poisson", "MultiRMSE", "SurvivalAft", "Cox"))

    def estimator(self, client: Client | None = None) -> Any:
        kind = DaskCatBoostClassifier if self.classifier else DaskCatBoostRegressor
        return kind(loss_function=self.loss, iterations=12, depth=5, client=client, **self.given)


def plain(n_rows: int = 4_000, seed: int = 5) -> pd.DataFrame:
    """Five features with a signal; NaNs in two of them, one of which has NaNs in the last rows alone."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_rows, 5)).astype(np.float32)
    target = values[:, 0] + np.sin(2 * values[:, 1]) * (values[:, 2] > 0) + rng.normal(size=n_rows) * 0.3
    values[rng.random(n_rows) < 0.2, 1] = np.nan
    values[-50:, 3] = np.nan
    return pd.DataFrame(values, columns=list("abcde")).assign(y=target)


def binary() -> pd.DataFrame:
    table = plain()
    return table.assign(y=(table["y"] > 0.2).astype(np.int64))


def counts() -> pd.DataFrame:
    table = plain()
    return table.assign(y=np.floor(np.exp(table["y"])))


def several() -> pd.DataFrame:
    table = plain()
    return table.assign(y=np.digitize(table["y"], [-0.7, 0.0, 0.8]))


def rare() -> pd.DataFrame:
    """One positive in 9,999 rows."""
    table = plain(9_999)
    return table.assign(y=(table.index == 7_654).astype(np.int64))


def labels() -> pd.DataFrame:
    table = plain()
    shifted = 3.0 - 2.0 * table["a"] * table["c"]
    return table.assign(z=shifted.mask(np.arange(len(table)) % 7 == 3), u=table["e"] ** 2)


def times() -> pd.DataFrame:
    """Times, half of them known to be above the end alone."""
    table = plain()
    time = np.exp(table["y"] / 2)
    return table.drop(columns="y").assign(low=time, high=time.where(np.arange(len(table)) % 2 == 0, -1.0))


def events() -> pd.DataFrame:
    """Times with ties, negative where nothing happened."""
    table = plain()
    time = np.ceil(np.exp(table["y"] / 2) * 20) / 20
    return table.assign(y=time.where(np.arange(len(table)) % 3 != 0, -time))


CASES = {
    "Logloss-MVS": Case("Logloss", binary, {"bootstrap_type": "MVS", "subsample": 0.6}),
    "Logloss-rare": Case("Logloss", rare, {"bootstrap_type": "Bernoulli", "subsample": 0.7, "learning_rate": 0.3}),
    "MultiClass-Bernoulli": Case("MultiClass", several, {"bootstrap_type": "Bernoulli", "subsample": 0.7, "rsm": 0.6}),
    "MultiClass-MVS": Case("MultiClass", several, {"bootstrap_type": "MVS"}),
    "RMSE-MVS": Case("RMSE", plain, {"bootstrap_type": "MVS", "border_count": 300}),
    "Quantile-MVS": Case("Quantile:alpha=0.8", plain, {}),
    "Poisson-noise": Case("Poisson", counts, {"bootstrap_type": "No"}),
    "RMSE-monotone": Case("RMSE", plain, {"monotone_constraints": [1, -1, 0, 1, 0]}),
    "MultiRMSE-noise": Case("MultiRMSE", labels, {}, ["y", "u"]),
    "MultiRMSE-missing": Case("MultiRMSEWithMissingValues", labels, {"bootstrap_type": "No"}, ["y", "z", "u"]),
    "RMSEWithUncertainty-MVS": Case("RMSEWithUncertainty", plain, {}),
    "SurvivalAft-MVS": Case("SurvivalAft:dist=Logistic", times, {}, ["low", "high"]),
    "Cox-MVS": Case("Cox", events, {}),
    "Logloss-Depthwise": Case("Logloss", binary, {"grow_policy": "Depthwise", "min_data_in_leaf": 40}),
    "MultiClass-Lossguide": Case(
        "MultiClass", several, {"grow_policy": "Lossguide", "max_leaves": 12, "rsm": 0.7, "bootstrap_type": "Bayesian"}
    ),
    "RMSE-Bernoulli": Case("RMSE", plain, {"bootstrap_type": "Bernoulli", "nan_mode": "Max"}),
}
ON_CLUSTERS = [
    "Logloss-MVS",
    "Logloss-rare",
    "MultiClass-Bernoulli",
    "RMSE-MVS",
    "Quantile-MVS",
    "RMSE-monotone",
    "MultiRMSE-noise",
    "Logloss-Depthwise",
]


@pytest.fixture(scope="module")
def expected() -> Callable[[str], bytes]:
    """Bytes of the model that one rank in this process trains."""
    made: dict[str, bytes] = {}

    def of(name: str) -> bytes:
        if name not in made:
            case = CASES[name]
            made[name] = fixed_cbm_bytes(case.estimator().fit(case.data(), case.target).model_)
        return made[name]

    return of


@pytest.mark.parametrize("name", ON_CLUSTERS)
def test_workers_threads_and_partitions(cluster: Client, expected: Callable[[str], bytes], name: str) -> None:
    case = CASES[name]
    table = case.data()
    for n_parts in (1, 13):  # four are given to processes
        frame = dd.from_pandas(table, npartitions=n_parts, sort=False)
        model = case.estimator(cluster).fit(frame, case.target).model_
        assert fixed_cbm_bytes(model) == expected(name), f"{n_parts} partitions"


@pytest.mark.parametrize("name", ON_CLUSTERS)
def test_worker_processes(client: Client, expected: Callable[[str], bytes], name: str) -> None:
    case = CASES[name]
    frame = dd.from_pandas(case.data(), npartitions=4, sort=False)
    assert fixed_cbm_bytes(case.estimator(client).fit(frame, case.target).model_) == expected(name)


@pytest.mark.parametrize("name", ["Logloss-MVS", "MultiRMSE-noise"])
def test_arrays_give_the_model_of_a_table_without_names(client: Client, name: str) -> None:
    case = CASES[name]
    frame = dd.from_pandas(case.data(), npartitions=4, sort=False)
    features = [name for name in frame.columns if name != "y" and name not in case.target]
    array = frame[features].to_dask_array(lengths=True)
    renamed = case.data().rename(columns={name: str(i) for i, name in enumerate(features)})
    by_array = case.estimator(client).fit(array, frame[case.target].to_dask_array(lengths=True)).model_
    assert fixed_cbm_bytes(by_array) == fixed_cbm_bytes(case.estimator().fit(renamed, case.target).model_)


#: Of these all but the first only in `pytest -m soak`: a loss of each kind, and each way to grow trees.
ON_50_RANKS = [
    "Logloss-MVS",
    "RMSE-MVS",
    "MultiClass-Lossguide",
    "Logloss-Depthwise",
    "Quantile-MVS",
    "MultiRMSE-missing",
    "SurvivalAft-MVS",
    "Cox-MVS",
]
USUAL_RANKS = [
    *((name, 2) for name in CASES if name not in ON_CLUSTERS),  # the others are trained by two processes
    *((name, 7) for name in CASES),
    (ON_50_RANKS[0], 50),
]


@dataclass(frozen=True)
class Alone:
    """What one rank has, and what it makes of it."""

    train: Rows
    evals: Rows
    bins: Any
    params: BoostParams
    result: BoostResult


@pytest.fixture(scope="module")
def alone() -> Callable[[str, int], Alone]:
    return cache(train_alone)


def train_alone(name: str, trees: int) -> Alone:
    case = CASES[name]
    checked = canonical(
        {"loss_function": case.loss, "iterations": trees, "depth": 5, **case.given}, classifier=case.classifier
    )
    table = case.data()
    held_out = pd.concat([table.iloc[:40], table.iloc[7_640:7_660], table.iloc[-40:]])
    sources = [Source(collect(table, case.target)), Source(collect(held_out, case.target), "eval_set")]
    sets = local_run.survey_here(sources)
    setup = set_up(checked, case.classifier, [data.survey for data in sets], ["", "eval_set"], None)
    borders = borders_in(local_run.encodings_here(sets[0], quantize_params(checked, sets[0].survey.names)))
    train, evals = (local_run.rows_here(data, borders, None, setup, i) for i, data in enumerate(sets))
    result = local_run.boost_here([train, evals], borders, setup, [], False)
    return Alone(train, evals, local_run.n_bins(borders), setup.resolved.params, result)


@pytest.mark.parametrize(
    ("name", "n_ranks"),
    [*USUAL_RANKS, *(pytest.param(name, 50, marks=pytest.mark.soak) for name in ON_50_RANKS[1:])],
)
def test_ranks(alone: Callable[[str, int], Alone], name: str, n_ranks: int) -> None:
    one = alone(name, 3 if n_ranks == 50 else 8)
    # Fewer eval rows than ranks, so some ranks have none.
    many = run_threads(
        n_ranks,
        lambda c: boost(part(one.train, c.rank, n_ranks), [part(one.evals, c.rank, n_ranks)], one.bins, one.params, c),
    )
    for result in many:
        assert result.trees == one.result.trees
        assert result.history == one.result.history
        assert (result.bias.tobytes(), result.best_iteration) == (one.result.bias.tobytes(), one.result.best_iteration)


def part(rows: Rows, rank: int, n_ranks: int) -> Rows:
    """Rows of one rank of several: uneven, and from two places of the data, so that there are two segments."""
    edges = [int(rows.n_rows * (i / (2 * n_ranks)) ** 1.3) for i in range(2 * n_ranks + 1)]
    spans = [(edges[rank], edges[rank + 1]), (edges[n_ranks + rank], edges[n_ranks + rank + 1])]
    chosen = np.concatenate([np.arange(start, stop) for start, stop in spans])
    first = spans[0][1] - spans[0][0]
    segments = (Segment(0, first, spans[0][0]), Segment(first, len(chosen), spans[1][0]))
    return replace(
        rows,
        bins=np.ascontiguousarray(rows.bins[:, chosen]),
        label=np.ascontiguousarray(rows.label[..., chosen]),
        segments=tuple(segment for segment in segments if segment.stop > segment.start),
    )
