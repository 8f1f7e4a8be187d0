"""docs/parity.md is what its generator writes, and has every parameter, option, loss and metric of the installed CatBoost."""

import importlib.util
import inspect
import json
from pathlib import Path
from types import ModuleType

import pytest
from catboost import CatBoostClassifier, CatBoostRanker, CatBoostRegressor

from gbdist.metrics.ranking import RANKING_METRICS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def parity() -> ModuleType:
    """The script as a module: it is no part of the package."""
    spec = importlib.util.spec_from_file_location("parity", ROOT / "bench/parity.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs/parity.md").read_text(encoding="utf-8")


def cells(page: str, heading: str) -> dict[str, list[str]]:
    """Rows of the table under a heading: what its first cell names → the others."""
    part = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in part.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): [cell.strip() for cell in row[1:]] for row in rows}


def test_the_page_is_what_the_generator_writes(parity: ModuleType, page: str) -> None:
    assert page == "".join(parity.sections()), "run: python bench/parity.py"


@pytest.mark.parametrize("estimator", [CatBoostClassifier, CatBoostRegressor, CatBoostRanker])
def test_every_parameter_of_a_constructor_is_there(estimator: type, page: str) -> None:
    names = set(inspect.signature(estimator.__init__).parameters) - {"self"}
    assert [name for name in names if f"| `{name}` |" not in page] == []


def test_every_option_that_catboost_reports_is_there(parity: ModuleType, page: str) -> None:
    found = parity.reported_options()
    assert {"grow_policy", "max_leaves", "diffusion_temperature", "bayesian_matrix_reg"} <= found
    assert [name for name in found if f"| `{name}` |" not in page] == []


def test_every_loss_and_metric_is_there(parity: ModuleType, page: str) -> None:
    losses, metrics = cells(page, "Losses"), cells(page, "Metrics")
    known = parity.names()
    assert {"RMSE", "YetiRank", "SurvivalAft", "NDCG", "Kappa", "PythonUserDefinedPerObject"} <= set(known)
    # Of statistics of categories, and about nothing that a user may name.
    assert set(known) - set(losses) - set(metrics) == {"CtrFactor"} - set(metrics)


@pytest.mark.parametrize(
    ("loss", "exact", "native"),
    [
        ("RMSE", "regressor", "regressor"),
        ("Logloss", "classifier", "classifier"),
        ("Combination", "refused", "refused"),
    ],
)
def test_verdicts_are_those_of_the_code(page: str, loss: str, exact: str, native: str) -> None:
    assert cells(page, "Losses")[loss][:2] == [exact, native]


def test_metrics_that_a_ranker_computes_are_not_called_refused(page: str) -> None:
    rows = cells(page, "Metrics")
    assert {rows[name][0] for name in RANKING_METRICS} == {"a ranker's losses"}


def test_a_loss_that_is_refused_says_why(page: str) -> None:
    rows = cells(page, "Losses")
    assert [name for name, row in rows.items() if row[0] == "refused" and not row[2]] == []


def test_kept_figures_are_whole(parity: ModuleType) -> None:
    figures = json.loads(parity.FIGURES.read_text(encoding="utf-8"))
    assert figures.keys() == parity.BENCHES.keys()
    for bench, kept in figures.items():
        assert kept["seeds"] == parity.BENCHES[bench]
        for row in kept["rows"]:
            assert row["worse_by"] == pytest.approx(row["ours"] / row["catboost"] - 1.0, abs=0.02), row["loss"]


def test_figures_of_a_bench_are_kept_in_one_form(parity: ModuleType) -> None:
    values = {"ours": 6.0, "catboost": 4.0, "worse_by": 0.5}
    of_loss = {"loss": "MAE", "data": "some", **values, "spread": {"ours": 0.1, "catboost": 0.2}}
    of_task = {"task": "adult", "loss": "Logloss", "setting": "defaults", **values, "spread": {"a": 0.2, "b": 0.4}}
    assert parity._kept("losses", of_loss) == {
        "loss": "MAE",
        "data": "some",
        "setting": parity.SETTINGS["losses"],
        **values,
        "spread": [0.1, 0.2],
    }
    assert parity._kept("quality", of_task) == {
        "loss": "Logloss",
        "data": "adult",
        "setting": "defaults",
        **values,
        "spread": [0.05, 0.1],
    }
    of_ranker = {"loss": "YetiRank", "ours": [0.8, 0.7], "catboost": [0.9, 0.6], "worse_by": [0.1, -0.2]}
    kept = parity._kept("ranking", of_ranker)
    assert (kept["ours"], kept["catboost"], kept["worse_by"], kept["spread"]) == (0.8, 0.9, 0.1, [])
