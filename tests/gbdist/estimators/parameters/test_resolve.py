"""What is left out gets the value that CatBoost gives it: compared with the parameters inside models that CatBoost trained."""

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier, CatBoostRegressor, Pool

from gbdist.boosting.params import Bootstrap, Stopping
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.errors import DataError, ParameterError
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.parameters.facts import DataFacts
from gbdist.estimators.parameters.resolve import Resolved, resolve
from gbdist.quantize.raw import RawColumn
from gbdist.quantize.unbinned import HASHED, UnbinnedFacts, survey_columns

CLASSES = {
    "Logloss": (0, 1),
    "MultiClass": (0, 1, 2),
    "MultiClassOneVsAll": (0, 1, 2),
    "CrossEntropy": None,
    "RMSE": None,
}
LOSSES = list(CLASSES)
QUIET = {"logging_level": "Silent", "allow_writing_files": False, "thread_count": 1}


@cache
def table(loss: str, rows: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(rows)
    x = random.normal(size=(rows, features)).astype(np.float32)
    classes = CLASSES[loss]
    return x, random.random(rows) if classes is None else np.arange(rows) % len(classes)


def with_categories(x: np.ndarray) -> tuple[pd.DataFrame, tuple[UnbinnedFacts, ...]]:
    """Two columns of strings beside the numbers, and what a survey says of them; the second one has two values."""
    frame = pd.DataFrame(x).add_prefix("x")
    words = {1: frame["x0"].rank().astype(int) % 17, 3: frame["x1"] > 0}
    for position, values in words.items():
        frame.insert(position, f"c{position}", values.astype(str))
    read = [RawColumn(position, f"c{position}", HASHED, frame[f"c{position}"]) for position in words]
    return frame, survey_columns(read, 0)[0]


class StopAtOnce:
    """The parameters of a run are fixed before its first tree, so one tree is enough."""

    def after_iteration(self, info: Any) -> bool:
        return False


def both(
    loss: str,
    given: dict[str, Any],
    rows: int = 300,
    features: int = 4,
    evals: tuple[bool, ...] = (),
    baseline: bool = False,
    init_model: bool = False,
    categories: bool = False,
) -> tuple[dict[str, Any], Resolved]:
    """CatBoost's options from inside a model that it trained, and ours. ``evals``: whether the labels of each set differ.

    ``categories`` makes two more columns, at positions 1 and 3.
    """
    x, y = table(loss, rows, features)
    columns: tuple[UnbinnedFacts, ...] = ()
    if categories:
        x, columns = with_categories(x)
    given = {"loss_function": loss, **given}
    estimator = CatBoostRegressor if loss == "RMSE" else CatBoostClassifier
    start = np.ones((rows, len(CLASSES[loss] or (0, 0)) if "Multi" in loss else 1)) if baseline else None
    first = estimator(**{**given, **QUIET}).fit(x, y, callbacks=[StopAtOnce()]) if init_model else None
    cats = [each.position for each in columns]
    eval_sets = [
        Pool(x[:50], y[:50] if differ else np.full(50, y[0]), cats, baseline=None if start is None else start[:50])
        for differ in evals
    ]
    # CatBoost takes one eval set only together with a callback.
    callbacks = {"callbacks": [StopAtOnce()]} if len(evals) < 2 else {}
    # Not all of CatBoost's parameters are its constructor's: permutation_count is not.
    model = (
        estimator()
        .set_params(**given, **QUIET)
        .fit(Pool(x, y, cats, baseline=start), eval_set=eval_sets or None, init_model=first, **callbacks)
    )
    facts = DataFacts(
        rows=rows,
        features=features + len(columns),
        categorical=columns,
        class_names=CLASSES[loss],
        label_min=float(y.min()),
        label_max=float(y.max()),
        eval_sets=len(evals),
        eval_label_constant=bool(evals) and not evals[0],
        baseline=baseline,
        init_model=init_model,
        class_weight_sums=None if CLASSES[loss] is None else tuple(np.bincount(y).astype(float).tolist()),
    )
    own: dict[str, Any] = json.loads(model.get_metadata()["params"])
    return own, resolve(canonical(given, classifier=loss != "RMSE"), facts)


def compared(options: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on the machine, on how the user wrote it, and on texts and embeddings."""
    kept = {name: part for name, part in options.items() if name not in ("system_options", "flat_params")}
    kept["data_processing_options"] = {
        name: part
        for name, part in options["data_processing_options"].items()
        if "text" not in name and "embedding" not in name
    }
    return kept


def assert_the_same(loss: str, *args: Any, **kwargs: Any) -> Resolved:
    own, ours = both(loss, *args, **kwargs)
    assert compared(ours.options) == compared(own)
    return ours


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("rows", "features", "iterations", "evals"),
    [
        (60, 4, 10, ()),  # below 100 rows nothing is left out by subsample
        (300, 4, 10, ()),
        (300, 25, 10, ()),  # 20 features or more: leaf_estimation_iterations stays at the loss's own
        (300, 4, 250, ()),
        (300, 4, 250, (True,)),
        (300, 4, 250, (False,)),  # eval labels that do not differ: no use_best_model, another learning rate
        (40_000, 4, 1000, ()),
    ],
)
def test_defaults_are_catboosts(loss: str, rows: int, features: int, iterations: int, evals: tuple[bool, ...]) -> None:
    ours = assert_the_same(loss, {"iterations": iterations}, rows, features, evals)
    assert ours.params.use_best_model == (evals == (True,))
    assert ours.params.bootstrap.subsample == (1.0 if rows < 100 or "Multi" in loss else pytest.approx(0.8))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "given",
    [
        {"leaf_estimation_method": "Gradient"},
        {"leaf_estimation_iterations": 3},
        {"leaf_estimation_backtracking": "No"},
        {"l2_leaf_reg": 5},
        {"learning_rate": 0.3},
        {"boost_from_average": False},
        {"model_shrink_rate": 0.1},
        {"model_shrink_rate": 0.5, "model_shrink_mode": "Decreasing"},
        {"bootstrap_type": "Bernoulli"},
        {"bootstrap_type": "Bayesian", "bagging_temperature": 2},
        {"bootstrap_type": "MVS", "mvs_reg": 0.3, "subsample": 0.4},
        {"bootstrap_type": "No"},
        {"score_function": "L2", "depth": 3, "rsm": 0.5, "random_strength": 0.1, "random_seed": 11},
        {"nan_mode": "Max", "border_count": 32, "feature_border_type": "Median"},
        {"od_wait": 5},
        {"od_pval": 0.1, "od_wait": 3},
        {"od_type": "IncToDec"},
        {"use_best_model": False},
        {"eval_metric": "Accuracy", "custom_metric": ["AUC", "F1"]},
    ],
    ids=repr,
)
def test_what_is_given_leaves_the_rest_as_catboost_does(loss: str, given: dict[str, Any]) -> None:
    if loss == "RMSE" and "eval_metric" in given:
        given = {"eval_metric": "R2", "custom_metric": ["MAE"]}
    assert_the_same(loss, {"iterations": 250, **given}, evals=(True,))


@pytest.mark.parametrize("evals", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("use_best_model", [None, True, False])
def test_the_first_eval_set_decides_about_use_best_model(evals: tuple[bool, ...], use_best_model: bool | None) -> None:
    given = {} if use_best_model is None else {"use_best_model": use_best_model}
    ours = assert_the_same("Logloss", {"iterations": 5, "learning_rate": 0.1, **given}, evals=evals)
    assert ours.params.use_best_model == (evals[0] if use_best_model is None else use_best_model)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("start", ["baseline", "init_model"])
def test_a_start_value_turns_boost_from_average_off(loss: str, start: str) -> None:
    ours = assert_the_same(loss, {"iterations": 250}, **{start: True})
    assert not ours.params.boost_from_average


@pytest.mark.parametrize("loss", ["Logloss", "MultiClass", "MultiClassOneVsAll"])
@pytest.mark.parametrize("balance", ["Balanced", "SqrtBalanced"])
def test_class_weights_are_written_as_catboost_writes_them(loss: str, balance: str) -> None:
    assert_the_same(loss, {"iterations": 10, "auto_class_weights": balance}, rows=301)


STATISTICS = [
    {},
    {"iterations": 250},
    {"one_hot_max_size": 20, "max_ctr_complexity": 3, "model_size_reg": 0.25, "counter_calc_method": "Full"},
    {"ctr_leaf_count_limit": 5, "store_all_simple_ctr": True, "permutation_count": 2},
    {"has_time": True},
    {"simple_ctr": ["Buckets:CtrBorderCount=7", "Counter:Prior=0.5/1"], "combinations_ctr": "Counter"},
    {"ctr_description": ["Borders:Prior=0.25:Prior=-1", "Counter"]},
    {"ctr_description": ["Borders"], "combinations_ctr": ["Buckets"]},
    {"per_feature_ctr": ["3:Buckets:Prior=0.3", "1:Borders:Prior=2,Counter:Prior=0"]},
]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("given", STATISTICS, ids=repr)
def test_options_about_categories_are_catboosts(loss: str, given: dict[str, Any]) -> None:
    ours = assert_the_same(loss, {"iterations": 10, **given}, categories=True)
    assert ours.params.categories is not None


@pytest.mark.parametrize("loss", ["RMSE", "MultiClass"])
@pytest.mark.parametrize(
    "given",
    [
        {"ctr_target_border_count": 2},
        {"simple_ctr": ["Borders:TargetBorderCount=2"], "combinations_ctr": ["Borders:TargetBorderCount=2"]},
        {"ctr_target_border_count": 2, "simple_ctr": ["Buckets:TargetBorderCount=2", "Counter"]},
    ],
    ids=repr,
)
def test_borders_of_the_target_are_catboosts(loss: str, given: dict[str, Any]) -> None:
    ours = assert_the_same(loss, {"iterations": 10, **given}, categories=True)
    assert ours.params.categories is not None
    assert ours.params.categories.target_border_count == 2


FACTS = DataFacts(rows=300, features=4, class_names=(0, 1), label_min=0.0, label_max=1.0)


def resolved(given: dict[str, Any], facts: DataFacts = FACTS) -> Resolved:
    return resolve(canonical(given, classifier=facts.class_names is not None), facts)


def test_the_trainer_is_told_all_of_it() -> None:
    ours = resolved(
        {
            "iterations": 7,
            "learning_rate": 0.5,
            "depth": 3,
            "l2_leaf_reg": 2,
            "score_function": "L2",
            "leaf_estimation_method": "Gradient",
            "leaf_estimation_iterations": 4,
            "leaf_estimation_backtracking": "No",
            "bootstrap_type": "MVS",
            "subsample": 0.5,
            "mvs_reg": 0.25,
            "random_strength": 0.5,
            "rsm": 0.75,
            "random_seed": 2**63 - 1,
            "boost_from_average": True,
            "od_pval": 0.5,
            "od_wait": 9,
            "best_model_min_trees": 3,
            "model_shrink_rate": 0.25,
            "model_shrink_mode": "Decreasing",
            "metric_period": 5,
            "thread_count": 3,
        }
    )
    params = ours.params
    assert params.objective.name == "Logloss"
    assert (params.iterations, params.learning_rate, params.depth, params.l2_leaf_reg) == (7, 0.5, 3, 2.0)
    assert params.score_function == "L2"
    assert (params.leaf_estimation_method, params.leaf_estimation_iterations) == ("Gradient", 4)
    assert params.leaf_estimation_backtracking == "No"
    assert params.bootstrap == Bootstrap("MVS", subsample=0.5, mvs_reg=0.25)
    assert (params.random_strength, params.rsm, params.random_seed) == (0.5, 0.75, 2**63 - 1)
    assert params.boost_from_average
    assert params.shrinkage == Shrinkage(0.25, "Decreasing")
    assert params.stopping == Stopping("IncToDec", wait=9, p_value=0.5, min_trees=3)
    assert (params.metric_period, params.threads, params.use_best_model) == (5, 3, False)
    assert not ours.all_threads


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("SymmetricTree", 64, 1)),
        ({"max_leaves": 31, "min_data_in_leaf": 7}, ("SymmetricTree", 31, 7)),
        ({"grow_policy": "Depthwise", "depth": 4}, ("Depthwise", 16, 1)),
        ({"grow_policy": "Lossguide"}, ("Lossguide", 31, 1)),
        ({"grow_policy": "Lossguide", "num_leaves": 6, "min_child_samples": 2.5}, ("Lossguide", 6, 3)),
        ({"grow_policy": "Lossguide", "min_data_in_leaf": 0}, ("Lossguide", 31, 1)),
    ],
    ids=str,
)
def test_how_trees_grow_is_catboosts_default_or_what_is_given(
    given: dict[str, Any], expected: tuple[str, int, int]
) -> None:
    ours = resolved(given)
    params, trees = ours.params, ours.options["tree_learner_options"]
    assert (params.grow_policy, params.max_leaves, params.min_data_in_leaf) == expected
    assert (trees["grow_policy"], trees["max_leaves"]) == expected[:2]


def test_thread_count_changes_nothing_but_the_threads() -> None:
    one, all_of_them = resolved({"thread_count": 1}), resolved({})
    assert one.options["tree_learner_options"] == all_of_them.options["tree_learner_options"]
    assert "thread_count" not in json.dumps(one.options)
    assert (one.all_threads, all_of_them.all_threads) == (False, True)
    assert resolved({"n_jobs": -1}).all_threads


@pytest.mark.parametrize(
    ("class_names", "loss"), [((0, 1), "Logloss"), (("a", "b", "c"), "MultiClass"), (None, "RMSE")]
)
def test_the_loss_by_default(class_names: tuple[Any, ...] | None, loss: str) -> None:
    facts = DataFacts(rows=300, features=4, class_names=class_names, label_min=0.0, label_max=2.0)
    assert resolved({}, facts).params.objective.name == loss


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["Logloss"]),
        ({"eval_metric": "AUC"}, ["AUC", "Logloss"]),
        ({"custom_metric": ["AUC", "Accuracy"]}, ["Logloss", "AUC", "Accuracy"]),
        ({"eval_metric": "Accuracy", "custom_metric": ["AUC", "Accuracy"]}, ["Accuracy", "Logloss", "AUC"]),
    ],
)
def test_the_metric_that_decides_comes_first_and_none_twice(given: dict[str, Any], names: list[str]) -> None:
    params = resolved(given).params
    assert [metric.name for metric in params.metrics] == names
    assert params.eval_metric == 0


def regression(low: float, high: float, **more: Any) -> DataFacts:
    return DataFacts(rows=300, features=4, class_names=None, label_min=low, label_max=high, **more)


@pytest.mark.parametrize(
    ("given", "facts", "text"),
    [
        (
            {"loss_function": "Logloss"},
            DataFacts(rows=300, features=4, class_names=(0, 1, 2), label_min=0.0, label_max=2.0),
            "loss_function='Logloss' cannot be used: expected a loss for 3 classes. "
            "Use MultiClass or MultiClassOneVsAll, or leave it out.",
        ),
        (
            {"eval_metric": "F1"},
            DataFacts(rows=300, features=4, class_names=(0, 1, 2), label_min=0.0, label_max=2.0),
            "eval_metric='F1' cannot be used: expected one value. "
            "It has one for each class: choose one of F1:class=0, F1:class=1, F1:class=2.",
        ),
        (
            {"use_best_model": True},
            FACTS,
            "use_best_model=True cannot be used: expected an eval set. Give one to fit: eval_set or eval_fraction.",
        ),
        (
            {"boost_from_average": True},
            regression(0.0, 1.0, baseline=True),
            "boost_from_average=True cannot be used: expected False together with baseline. "
            "Leave it out: predictions start from baseline.",
        ),
        (
            {"model_shrink_rate": 3.0, "iterations": 10},
            regression(0.0, 1.0),
            "model_shrink_rate=3 cannot be used: expected a rate that times learning_rate, here 0.5, is below 1. "
            "Lower one of them.",
        ),
        (
            {"model_shrink_rate": 0.1},
            regression(0.0, 1.0, init_model=True),
            "model_shrink_rate=0.1 cannot be used: expected 0 together with init_model. "
            "Leave it out: what init_model says is not shrunk.",
        ),
        (
            {"boost_from_average": True},
            regression(0.0, 1.0, init_model=True),
            "boost_from_average=True cannot be used: expected False together with init_model. "
            "Leave it out: predictions start from init_model.",
        ),
        (
            {},
            DataFacts(rows=300, features=4, class_names=("yes",), label_min=0.0, label_max=0.0),
            "y: found one class, 'yes', expected at least two. Check y.",
        ),
        (
            {},
            regression(2.5, 2.5),
            "y: found the value 2.5 in all rows, expected different values. Check y, or set allow_const_label=True.",
        ),
    ],
)
def test_what_does_not_go_with_the_data(given: dict[str, Any], facts: DataFacts, text: str) -> None:
    with pytest.raises((ParameterError, DataError)) as refusal:
        resolved(given, facts)
    assert str(refusal.value) == text


def test_labels_that_are_all_the_same_may_be_trained_on() -> None:
    assert resolved({"allow_const_label": True}, regression(2.5, 2.5)).options["data_processing_options"][
        "allow_const_label"
    ]
