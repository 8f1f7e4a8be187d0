"""What the parameters of a network may be, and in which words others are refused."""

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from gbdist.errors import ParameterError
from gbdist.estimators.networks.parameters import TABLE, check_parameters
from gbdist.estimators.networks.presets import PRESETS, automatic_batch
from gbdist.estimators.networks.table_text import parameters_text


def refused(classifier: bool = True, **given: object) -> str:
    with pytest.raises(ParameterError) as caught:
        check_parameters(given, classifier=classifier)
    return str(caught.value)


def test_preset_sklearn_has_its_defaults():
    settings = check_parameters({"preset": "sklearn"}, classifier=True)
    theirs = MLPClassifier().get_params()
    for name in (
        "max_fun",
        "random_state",
        "verbose",
    ):  # not ours; 0 for a run that can be had again; a bar in a terminal
        del theirs[name]
    assert {name: settings[name] for name in theirs} == theirs
    assert settings["scaling"] == settings["numeric_embedding"] == "none"


@pytest.mark.parametrize("preset", PRESETS)
def test_every_value_of_a_preset_is_one_that_a_user_may_give(preset):
    for name, value in PRESETS[preset].items():
        assert TABLE[name].check(name, value) == value


def test_what_is_given_goes_before_the_preset():
    settings = check_parameters({"hidden_layer_sizes": 30, "alpha": np.float32(0.5)}, classifier=True)
    assert settings["hidden_layer_sizes"] == (30,)
    assert settings["alpha"] == 0.5
    assert settings["scaling"] == PRESETS["tabular"]["scaling"]
    assert settings.given == {"hidden_layer_sizes", "alpha"}


def test_numbers_of_numpy_and_lists_are_taken():
    given = {
        "hidden_layer_sizes": np.array([8, 4]),
        "n_iter_no_change": math.inf,
        "batch_size": np.int64(7),
        "class_weight": {0: 1, 1: np.float64(2.5)},
        "devices": "0:1",
        "eval_metric": ["AUC", "Logloss"],
    }
    settings = check_parameters(given, classifier=True)
    assert settings["hidden_layer_sizes"] == (8, 4)
    assert settings["n_iter_no_change"] == math.inf
    assert settings["batch_size"] == 7
    assert settings["class_weight"] == {0: 1.0, 1: 2.5}
    assert settings["devices"] == (0, 1)
    assert settings["eval_metric"] == ("AUC", "Logloss")


def test_generator_as_random_state_gives_a_seed():
    seeds = [
        check_parameters({"random_state": np.random.RandomState(3)}, classifier=True)["random_state"] for _ in "ab"
    ]
    assert seeds[0] == seeds[1] == np.random.RandomState(3).randint(np.iinfo(np.int32).max)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_layer_sizes", 0),
        ("hidden_layer_sizes", (10, -1)),
        ("hidden_layer_sizes", (10, 2.5)),
        ("hidden_layer_sizes", "wide"),
        ("alpha", -1e-9),
        ("alpha", math.nan),
        ("batch_size", 0),
        ("batch_size", "full"),
        ("learning_rate_init", 0.0),
        ("max_iter", 1.5),
        ("max_iter", math.inf),
        ("shuffle", "yes"),
        ("random_state", -1),
        ("momentum", 1.01),
        ("validation_fraction", 1.0),
        ("beta_1", 1.0),
        ("n_iter_no_change", 0),
        ("dropout", 1.0),
        ("class_weight", "heavy"),
        ("class_weight", {0: -1.0}),
        ("cat_nan", 3),
        ("devices", "first"),
        ("verbose", "loud"),
        ("kept_share", 0.0),
        ("eval_metric", [1]),
    ],
)
def test_refused_value_says_what_is_expected(name, value):
    text = refused(**{name: value})
    assert text.startswith(f"{name}={value!r} cannot be used: expected {TABLE[name].expected}. ")


def test_words_of_the_errors():
    assert refused(alpha=-1) == (
        "alpha=-1 cannot be used: expected a number of at least 0. Leave it out for what the preset says."
    )
    assert refused(solver="lbfgs") == (
        "solver='lbfgs' cannot be used: expected one of 'sgd', 'adam'. "
        "Every step of lbfgs needs all rows; use 'adam' or 'sgd'."
    )
    assert refused(activation="Tanh").endswith("Did you mean 'tanh'?")
    assert refused(max_fun=15_000) == (
        "max_fun=15000 cannot be used: expected a parameter of the network. "
        "It is about lbfgs, which is not trained here; max_iter counts epochs."
    )
    assert refused(hiden_layer_sizes=(3,)).endswith("Did you mean hidden_layer_sizes?")
    assert refused(colour="red").endswith("docs/networks.md lists all of them.")
    assert refused(learning_rate=0.05).endswith("Set learning_rate_init=0.05 for the rate itself.")
    assert refused(frequencies=3) == (
        "frequencies=3 cannot be used: expected it to be left out without numeric_embedding='periodic'. "
        "Set numeric_embedding='periodic', or leave it out."
    )
    assert refused(class_weight="balanced", classifier=False) == (
        "class_weight='balanced' cannot be used: expected no classes in regression. "
        "Leave it out; weigh rows with fit(sample_weight=...)."
    )
    assert refused(warm_up=5, max_iter=4) == (
        "warm_up=5.0 cannot be used: expected at most max_iter=4. Both count epochs: lower warm_up, or raise max_iter."
    )


def test_squared_error_is_what_a_regressor_is_trained_on_anyway():
    assert check_parameters({"loss": "squared_error"}, classifier=False).given == frozenset()
    assert "squared error" in refused(loss="poisson", classifier=False)


def test_adam_knows_nothing_of_the_schedules_of_sgd():
    for solver, schedule in (("adam", "constant"), ("sgd", "adaptive")):
        settings = check_parameters({"solver": solver, "learning_rate": "adaptive"}, classifier=True)
        assert settings.schedule == schedule


def test_strategy_is_told_apart():
    settings = check_parameters({"strategy": "local", "sync_period": 4, "compression": "fp16"}, classifier=True)
    assert (settings.strategy.kind, settings.strategy.period, settings.strategy.compression) == ("local", 4, "fp16")
    ahead = check_parameters({"strategy": "async", "staleness": 3}, classifier=False).strategy
    assert (ahead.kind, ahead.staleness) == ("async", 3)
    assert refused(strategy="async", staleness=-1) == (
        "staleness=-1 cannot be used: expected an integer of at least 0. Leave it out for what the preset says."
    )
    assert refused(staleness=3) == (
        "staleness=3 cannot be used: expected it to be left out without strategy='async'. "
        "Set strategy='async', or leave it out."
    )


@pytest.mark.parametrize("n_rows", [1, 31, 200, 5_000, 50_000, 1_000_000])
def test_automatic_batch(n_rows):
    assert automatic_batch("sklearn", n_rows) == min(200, n_rows)
    size = automatic_batch("tabular", n_rows)
    assert 1 <= size <= min(1024, n_rows)
    assert size * 256 >= n_rows or size == 1024
    assert size * 24 >= n_rows or size >= 256


def test_regressors_drop_nothing_unless_they_are_told():
    assert check_parameters({}, classifier=True)["dropout"] > 0
    assert check_parameters({}, classifier=False)["dropout"] == 0
    assert check_parameters({"dropout": 0.2}, classifier=False)["dropout"] == 0.2


def test_docs_list_every_parameter_with_what_the_presets_say():
    page = (Path(__file__).parents[4] / "docs/networks.md").read_text()
    assert parameters_text() in page, (
        "write gbdist.estimators.networks.table_text.parameters_text() to docs/networks.md"
    )
