"""What of CatBoost is here? Writes docs/parity.md: parameters, losses, metrics, and the quality of models beside CatBoost's.

usage: python bench/parity.py [DATA_DIR] [--workers 2]

What is the same and what is refused is asked of the code, and what there is of the installed CatBoost. Figures of quality are
read from docs/quality.json; with DATA_DIR, that of bench/losses.py and bench/quality.py, both are run first, and their figures
kept there. That takes an hour; without it the page takes a second.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import catboost
import numpy as np
import pandas as pd
from catboost import CatBoostError, core
from catboost.utils import DataMetaInfo, TargetStats, compute_training_options

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.check import check_parameters
from gbdist.estimators.parameters.parity import parameters_text
from gbdist.estimators.parameters.table import ALIASES, CLASSIFIER_LOSSES, RANKER_LOSSES, TABLE
from gbdist.metrics.make import METRICS_OF_LOSS
from gbdist.metrics.native import any_metrics
from gbdist.metrics.ranking import RANKING_METRICS

DOCS = pathlib.Path(__file__).parents[1] / "docs"
PAGE, FIGURES = DOCS / "parity.md", DOCS / "quality.json"
#: Benches whose figures are kept, and the seeds that they are run with.
BENCHES = {"quality": 5, "losses": 3, "ranking": 3}
#: Those of benches that have one.
SETTINGS = {"losses": "300 x 6 x 0.1", "ranking": "100 x 6 x 0.1"}
#: Options of losses and metrics that cannot be left out.
OPTIONS = {
    "AverageGain": "top=2",
    "Combination": "loss0=Logloss;weight0=1",
    "Expectile": "alpha=0.3",
    "F": "beta=2",
    "Focal": "focal_alpha=0.5;focal_gamma=2",
    "Huber": "delta=1",
    "Lq": "q=2",
    "MultiQuantile": "alpha=0.2,0.8",
    "NumErrors": "greater_than=1",
    "QueryAverage": "top=2",
    "StochasticRank": "metric=NDCG",
    "Tweedie": "variance_power=1.5",
}
#: Names of CatBoost's for what a user writes.
OWN = {
    "PythonUserDefinedPerObject": "an object, here too: [custom.md](custom.md)",
    "PythonUserDefinedMultiTarget": "refused: objects get one label a row",
    "UserPerObjMetric": "refused: for those who build CatBoost themselves",
    "UserQuerywiseMetric": "refused: for those who build CatBoost themselves",
}
#: Why losses are not trained on histograms, where what kind of loss they are does not say it.
WHY = {
    "Combination": "losses are not added up; write it as an object ([custom.md](custom.md))",
}
#: Options that CatBoost reports of a model, and that are no parameters of its estimators.
REPORTED = {
    "bayesian_matrix_reg": "CatBoost's value stands in the model; it is about pairwise losses",
    "force_unit_auto_pair_weights": "CatBoost's value stands in the model; it is about pairs that CatBoost makes of groups",
    "pool_metainfo_options": "CatBoost's value stands in the model; tags of columns are not read",
}
REPORTED_HEAD = """
## Options that CatBoost reports of a model

`get_all_params()` tells those of the tables above that say something about a model, and:

"""
LOSSES_HEAD = """
## Losses

Every loss of CatBoost, and the estimators that take it.

"""
METRICS_HEAD = f"""
## Metrics

Every metric of CatBoost, and the losses beside which it is computed ("any": wherever CatBoost takes it; "a ranker's losses":
{", ".join(f"`{loss}`" for loss in RANKER_LOSSES)}). One that is refused can be computed from the
predictions after `fit` or, where it is a sum over rows, be an object ([custom.md](custom.md)), which stands beside any loss.

"""
QUALITY_HEAD = """
## Quality beside CatBoost

Holdout values of the loss itself (of rankers: of NDCG), of models with the same parameters on both sides, means over seeds; the
spread is that of the seeds, gbdist's and CatBoost's, as a share. Settings are CatBoost's defaults, or trees x depth x learning
rate. What the benches compute, and on which data, they say themselves. `python bench/parity.py DATA_DIR` measures the figures
anew and keeps them in `docs/quality.json`.
"""
_ESTIMATORS: tuple[tuple[str, dict[str, bool]], ...] = (
    ("classifier", {"classifier": True}),
    ("regressor", {"classifier": False}),
    ("ranker", {"classifier": False, "ranker": True}),
)
_FACTS = DataMetaInfo(1000, 10, 0, TargetStats(0.0, 1.0), True)


def names() -> list[str]:
    """Every loss and metric that the installed CatBoost knows."""
    try:
        compute_training_options({"loss_function": "?"}, _FACTS, None)
    except CatBoostError as refusal:
        return re.findall(r"'([^']+)'", str(refusal).partition("Valid options are")[2])
    raise SystemExit("CatBoost takes '?' for a loss")


def described(name: str) -> str:
    """A loss or metric with the options that it needs."""
    return f"{name}:{OPTIONS[name]}" if name in OPTIONS else name


def is_loss(name: str) -> bool:
    """Whether CatBoost trains it, on a CPU or a GPU."""
    try:
        compute_training_options({"loss_function": described(name)}, _FACTS, None)
    except CatBoostError as refusal:
        return "Unknown loss function" not in str(refusal)
    return True


def is_metric(name: str) -> bool:
    """Whether CatBoost computes it."""
    try:
        return bool(core.is_maximizable_metric(described(name)) or core.is_minimizable_metric(described(name)))
    except CatBoostError:
        return False


def reported_options() -> set[str]:
    """What CatBoost reports of models with several losses, policies and kinds of columns, on a CPU."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    words = [" ".join(rng.choice(list("xyz"), 5)) for _ in range(60)]
    classes, groups = rng.integers(0, 2, 60), np.repeat(np.arange(12), 5)
    several = np.stack([classes, rng.integers(0, 2, 60)], axis=1)
    one_of = {
        "grow_policy": ("Depthwise", "Lossguide"),
        "bootstrap_type": ("Bayesian", "Bernoulli", "MVS", "No"),
        "boosting_type": ("Ordered", "Plain"),
        "od_type": ("IncToDec", "Iter"),
        "loss_function": ("RMSE", "MAE", "Quantile:alpha=0.3", "Poisson", "RMSEWithUncertainty", "MultiLogloss"),
        "langevin": (True,),
        "monotone_constraints": ([1, 0, 0],),
        "feature_weights": ([1, 2, 3],),
    }
    fits: list[tuple[dict[str, Any], Any, Any]] = [
        ({name: value}, table, several if value == "MultiLogloss" else classes)
        for name, values in one_of.items()
        for value in values
    ]
    fits += [
        ({"loss_function": "MultiClass"}, table, rng.integers(0, 3, 60)),
        ({"cat_features": ["c"]}, table.assign(c=rng.integers(0, 9, 60).astype(str)), classes),
        ({"text_features": ["c"]}, table.assign(c=words), classes),
        *(({"loss_function": loss}, table, classes) for loss in ("YetiRank", "PairLogit", "PairLogitPairwise")),
    ]
    found: set[str] = set()
    for options, x, y in fits:
        how = {"iterations": 1, "depth": 2, "thread_count": 1, "logging_level": "Silent", "allow_writing_files": False}
        model = catboost.CatBoost({"loss_function": "Logloss", **how, **options})
        ranks = core.is_ranking_metric(str(options.get("loss_function", "Logloss")))
        columns = {name: options[name] for name in ("cat_features", "text_features") if name in options}
        model.fit(catboost.Pool(x, y, group_id=groups if ranks else None, **columns))
        found |= model.get_all_params().keys()
    return found


def takers(loss: str, **more: object) -> list[str]:
    """Which of our estimators take a loss."""
    found = []
    for estimator, kind in _ESTIMATORS:
        try:
            check_parameters({"loss_function": described(loss), **more}, **kind)
        except ParameterError:
            continue
        found.append(estimator)
    return found


def loss_row(name: str) -> str:
    """Where a loss is trained, or why it is not."""
    if name in OWN:
        return _row(f"`{name}`", OWN[name], "", "")
    exact = takers(name)
    why, native = ("", []) if exact else (_why_not(name), [])
    if exact or not core.is_multitarget_objective(described(name)):
        native = takers(name, aggregate="models")
        if not native and takers(name, aggregate="models", task_type="GPU"):
            native = ['with `task_type="GPU"`']
    return _row(f"`{name}`", ", ".join(exact) or "refused", ", ".join(native) or "refused", why)


def _why_not(name: str) -> str:
    loss = described(name)
    kinds: list[tuple[Callable[[str], bool], str]] = [
        (core.is_survivalregression_objective, "labels that are intervals are not read"),
        (core.is_multitarget_objective, "it wants several labels a row"),
        (core.is_ranking_metric, "this loss of groups is not computed on histograms"),
    ]
    fitting = [words for is_kind, words in kinds if is_kind(loss)]
    return WHY.get(name) or (fitting or ["not among the losses here; it can be an object ([custom.md](custom.md))"])[0]


def metric_row(name: str) -> str:
    """Beside which losses a metric is computed, on histograms and in rounds of models."""
    known = list(dict.fromkeys((*METRICS_OF_LOSS, "YetiRank")))
    exact = [loss for loss in known if name in METRICS_OF_LOSS.get(loss, ())]
    here = "a ranker's losses" if name in RANKING_METRICS else _losses(exact)
    native = [loss for loss in known if _is_added_up(name, loss)]
    if native == known:
        told = "any"
    elif exact and set(exact) <= set(native):
        told = ", ".join(["the same", *(f"`{loss}`" for loss in native if loss not in exact)])
    else:
        told = _losses(native)
    return _row(f"`{name}`", here, told)


def _is_added_up(name: str, loss: str) -> bool:
    """Whether rounds of models compute a metric beside a loss."""
    n_classes = 1 if loss not in CLASSIFIER_LOSSES else 3 if loss.startswith("MultiClass") else 2
    try:
        any_metrics(described(name), n_classes, described(loss))
    except ParameterError:
        return False
    return True


def _losses(beside: list[str]) -> str:
    return ", ".join(f"`{loss}`" for loss in beside) or "refused"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _table(*columns: str) -> str:
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"


def sections() -> Iterator[str]:
    """The page, part by part."""
    yield parameters_text()
    yield REPORTED_HEAD + _table("option", "here")
    for name in sorted(reported_options() - TABLE.keys() - ALIASES.keys()):
        yield _row(f"`{name}`", REPORTED[name])
    yield LOSSES_HEAD + _table("loss", "on histograms", 'with `aggregate="models"`', "why not on histograms")
    yield from (loss_row(name) for name in names() if name in OWN or is_loss(name))
    yield METRICS_HEAD + _table("metric", "on histograms", 'with `aggregate="models"`')
    yield from (metric_row(name) for name in names() if name not in OWN and is_metric(name))
    yield QUALITY_HEAD
    yield from quality()


def quality() -> Iterator[str]:
    """The figures that are kept."""
    for bench, kept in json.loads(FIGURES.read_text(encoding="utf-8")).items():
        yield f"\n`bench/{bench}.py`, {kept['seeds']} seeds:\n\n"
        yield _table("loss", "data", "setting", "gbdist", "CatBoost", "worse by", "spread")
        for row in kept["rows"]:
            spread = " / ".join(f"{value:.2%}" for value in row["spread"])
            numbers = f"{row['ours']:.6g}", f"{row['catboost']:.6g}", f"{row['worse_by']:.2%}", spread
            yield _row(f"`{row['loss']}`", row["data"], row["setting"], *numbers)


def measure(data: pathlib.Path, workers: int) -> None:
    """Run the benches and keep their figures."""
    kept: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    for bench, seeds in BENCHES.items():
        with tempfile.TemporaryDirectory() as folder:
            told = pathlib.Path(folder) / "figures.json"
            script = pathlib.Path(__file__).with_name(f"{bench}.py")
            how = [str(data), "--seeds", str(seeds), "--json", str(told)]
            how += [] if bench == "ranking" else ["--workers", str(workers)]  # which ranks few rows in this process
            subprocess.run([sys.executable, str(script), *how], check=True)
            kept[bench] = {"seeds": seeds, "rows": [_kept(bench, row) for row in json.loads(told.read_text())]}
    FIGURES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _kept(bench: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row of a bench: tasks have settings, and spreads that are no shares; of rankers it is NDCG, the first of two metrics."""
    of_task, ranked = bench == "quality", bench == "ranking"
    spread = [] if ranked else [value / (row["catboost"] if of_task else 1.0) for value in row["spread"].values()]
    return {
        "loss": row["loss"],
        "data": row["task"] if of_task else "rank, by NDCG" if ranked else row["data"],
        "setting": row["setting"] if of_task else SETTINGS[bench],
        **{name: row[name][0] if ranked else row[name] for name in ("ours", "catboost", "worse_by")},
        "spread": spread,
    }


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, nargs="?")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.data is not None:
        measure(options.data, options.workers)
    PAGE.write_text("".join(sections()), encoding="utf-8")
    print(f"{PAGE} is written")


if __name__ == "__main__":
    main()
