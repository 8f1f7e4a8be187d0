"""Importances are CatBoost's own, whatever names classes have."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gbdist.report.importances import importances_section, loss_change, most_important

KINDS = [("numbers", False), ("binary", True), ("several", False), ("quantiles", False), ("counts", True)]


@pytest.mark.parametrize(("kind", "categories"), KINDS)
def test_bars_are_catboosts_importances(case: Callable[..., Any], kind: str, categories: bool) -> None:
    found = case(kind, categories)
    section = importances_section(found.subject())
    for name, asked, data in (
        ("importance", "PredictionValuesChange", None),
        ("loss_change", "LossFunctionChange", found.pool()),
    ):
        expected = found.model.get_feature_importance(data, type=asked)
        (chart,) = [each for each in section.charts if each.name == name]
        source = chart.model.renderers[0].data_source.data
        drawn = dict(zip(source["name"], source["value"], strict=True))
        assert [drawn[each] for each in found.model.feature_names_] == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert list(drawn.values()) == sorted(drawn.values(), reverse=True)
        assert source["y"].tolist() == list(range(len(drawn)))[::-1]  # the largest on top


def test_the_largest_are_shown_and_the_others_counted(case: Callable[..., Any]) -> None:
    values = np.array([1.0, 5.0, 1.0, 9.0])
    assert most_important(values, 3).tolist() == [3, 1, 0]
    assert most_important(values).tolist() == [3, 1, 0, 2]


@pytest.mark.parametrize("rows", [True, False])
def test_what_is_missing_is_said(case: Callable[..., Any], rows: bool) -> None:
    section = importances_section(case("numbers").subject(rows=rows, labels=False))
    assert [chart.name for chart in section.charts] == ["importance"]
    assert section.notes == (
        "With rows that have labels this also shows how much worse the loss is without each feature. "
        "Run: gbdist report m.cbm --data DATA --target COLUMN",
    )


def test_what_catboost_refuses_is_said_in_its_words(case: Callable[..., Any]) -> None:
    found = case("numbers")
    subject = found.subject()
    one = type(subject.rows)(subject.rows.features, np.zeros(200), "y", "here")
    constant = type(subject)(found.model, "m", None, one, "")
    answer = loss_change(constant)
    assert not isinstance(answer, str)  # CatBoost answers for constant labels
    three = type(subject.rows)(subject.rows.features.iloc[:, :3], subject.rows.label, "y", "here")
    refused = loss_change(type(subject)(found.model, "m", None, three, ""))
    assert isinstance(refused, str)
    assert refused.startswith(
        "The change of the loss cannot be computed for this model and these rows: CatBoost says “"
    )


_MODELS = """
import sys
import numpy as np
from gbdist import DaskCatBoostRegressor

X = np.c_[np.arange(300) % 2, np.ones(300)].astype(np.float32)
for file, how in eval(sys.argv[1]).items():
    table = X if "subsample" in how else np.ones_like(X)
    DaskCatBoostRegressor(iterations=40, verbose=False, random_seed=1, **how).fit(
        table, X[:, 0] + np.random.default_rng(0).normal(size=300), plot_file=file
    )
"""
_SOME = {"bootstrap_type": "Bernoulli", "subsample": 0.01, "random_strength": 0}
_GROWTHS: dict[str, dict[str, Any]] = {
    "no splits": {},
    "no splits, Depthwise": {"grow_policy": "Depthwise"},
    "no splits, Lossguide": {"grow_policy": "Lossguide", "max_leaves": 1},
    "some splits": _SOME,
    "some splits, Depthwise": {"grow_policy": "Depthwise", **_SOME},
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Fits with ``plot_file`` in a process of their own: CatBoost ends the process where it is asked what it cannot answer."""
    folder = tmp_path_factory.mktemp("pages")
    fits = {str(folder / name): how for name, how in _GROWTHS.items()}
    done = subprocess.run(
        [sys.executable, "-c", _MODELS, repr(fits)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"after {sorted(path.name for path in folder.iterdir())}: {done.stderr}"
    return {name: (folder / name).read_text() for name in _GROWTHS}


@pytest.mark.parametrize("growth", [name for name in _GROWTHS if name.startswith("no splits")])
def test_page_of_trees_without_splits(pages: dict[str, str], growth: str) -> None:
    assert "The change of the loss is 0 for every feature: no tree has a split." in pages[growth]
    assert "No tree has a split, so that no feature moves a prediction." in pages[growth]


@pytest.mark.parametrize("growth", [name for name in _GROWTHS if name.startswith("some splits")])
def test_page_of_some_trees_without_splits(pages: dict[str, str], growth: str) -> None:
    assert 'data-chart="loss_change"' in pages[growth]
    assert 'data-chart="shap"' in pages[growth]
