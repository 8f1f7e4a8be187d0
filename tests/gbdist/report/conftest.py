"""Small models of every kind with rows to look at, and a browser to look at pages with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from gbdist.models.catboost_format import cbm_bytes, read_cbm
from gbdist.models.history import record_of
from gbdist.report.labels import labels_for
from gbdist.report.page import report_page, sections_of
from gbdist.report.subject import Rows, Subject

from ...browser import chromium

REMEDY = "Run: gbdist report m.cbm --data DATA --target COLUMN"


@dataclass(frozen=True, eq=False)
class Case:
    """A model as it comes from its file, the rows it was scored on, and their labels as they are in the data."""

    model: Any
    features: pd.DataFrame
    label: NDArray[Any]

    def subject(self, *, rows: bool = True, labels: bool = True, name: str = "m.cbm") -> Subject:
        codes = labels_for(self.model, self.label, "y") if labels else None
        shown = Rows(self.features, codes, "price", f"all {len(self.features)} rows of here.parquet") if rows else None
        return Subject(self.model, name, record_of(self.model), shown, REMEDY)

    def pool(self) -> catboost.Pool:
        return catboost.Pool(
            self.features,
            self.label,
            cat_features=self.model.get_cat_feature_indices(),
            text_features=self.model.get_text_feature_indices(),
        )


def _table(n_rows: int, categories: bool, seed: int = 5) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Numbers, one of them with gaps, and if asked two columns of categories; and what they add up to."""
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(draw.normal(size=(n_rows, 4)).astype(np.float32), columns=["area", "age", "noise", "gaps"])
    table.loc[::5, "gaps"] = np.nan
    signal = table["area"] + 2 * np.sin(2 * table["age"]) + draw.normal(size=n_rows) * 0.3
    if categories:
        table["shop"] = draw.choice(["north", "south", "east"], n_rows).astype(object)
        table["city"] = draw.choice([f"city {i}" for i in range(40)], n_rows).astype(object)
        signal = signal + 2.0 * (table["shop"] == "north") + table["city"].str.len() % 2
    return table, signal.to_numpy(dtype=np.float64)


@cache
def _made(kind: str, categories: bool, **given: Any) -> Case:
    table, signal = _table(600, categories)
    options: dict[str, Any] = {
        "iterations": 25, "depth": 3, "verbose": False, "allow_writing_files": False, "thread_count": 2,
        "cat_features": ["shop", "city"] if categories else None, **given,
    }  # fmt: skip
    label: NDArray[Any] = {
        "numbers": signal,
        "binary": np.where(signal > 0, "yes", "no"),
        "several": np.digitize(signal, [-1.0, 0.5, 1.5]) * 10,
        "quantiles": signal,
        "counts": np.floor(np.exp(signal / 2)),
    }[kind]
    if kind in ("binary", "several"):
        model: Any = catboost.CatBoostClassifier(**options)
    else:
        loss = {"quantiles": "MultiQuantile:alpha=0.1,0.5,0.9", "counts": "Poisson"}.get(kind, "RMSE")
        model = catboost.CatBoostRegressor(**{"loss_function": loss, **options})
    model.fit(table[200:], label[200:], eval_set=(table[:200], label[:200]))
    return Case(read_cbm(cbm_bytes(model)), table[:200].reset_index(drop=True), label[:200])


@pytest.fixture(scope="session")
def case() -> Callable[..., Case]:
    """A model of some kind: "numbers", "binary", "several", "quantiles" or "counts"; trained once."""

    def make(kind: str, categories: bool = False, **given: Any) -> Case:
        return _made(kind, categories, **given)

    return make


@cache
def _page(kind: str, categories: bool, rows: bool) -> str:
    subject = _made(kind, categories).subject(rows=rows)
    return report_page(subject, sections_of(subject))


@pytest.fixture(scope="session")
def page() -> Callable[..., str]:
    """The page about a model of some kind; made once."""

    def make(kind: str, categories: bool = False, rows: bool = True) -> str:
        return _page(kind, categories, rows)

    return make


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """1280 pixels wide, and high enough for a whole page."""
    with chromium(1280, 5400) as driver:
        yield driver
