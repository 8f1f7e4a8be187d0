"""``to_sklearn``: a pipeline of scikit-learn's that predicts the same, or an error that names what stands in its way."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from gbdist import DaskMLPClassifier, DaskMLPRegressor
from gbdist.errors import ModelError

#: What the default preset has and scikit-learn has not.
PLAIN = {"numeric_embedding": "none", "residual": False, "hidden_layer_sizes": (8, 5), "max_iter": 5}


def make_table(n_rows: int = 300, seed: int = 0) -> pd.DataFrame:
    """Columns that scale each in its own way: skewed, with ties, of two values, of one, with missing values."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "skewed": rng.lognormal(size=n_rows),
            "tied": rng.integers(0, 6, n_rows) / 10,  # tenths are not what float32 makes of them
            "flag": rng.integers(0, 2, n_rows),
            "one": 7.5,
            "gaps": np.where(rng.random(n_rows) < 0.3, np.nan, rng.normal(size=n_rows)),
        }
    )


def labels_of(table: pd.DataFrame, n_classes: int) -> np.ndarray:
    score = np.log(table["skewed"]) + table["flag"] + table["gaps"].fillna(0.0)
    return np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


@pytest.mark.parametrize("scaling", ["standard", "robust", "quantile"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_classifier_predicts_the_same(scaling, n_classes):
    table = make_table()
    y = np.array(["a", "b", "c", "d"])[labels_of(table, n_classes)]
    ours = DaskMLPClassifier(**PLAIN, scaling=scaling).fit(table, y)
    theirs = pickle.loads(pickle.dumps(ours.to_sklearn()))
    new = make_table(seed=1)
    np.testing.assert_allclose(theirs.predict_proba(new), ours.predict_proba(new), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(theirs.predict(new), ours.predict(new))
    assert list(theirs.feature_names_in_) == list(new.columns)
    assert theirs.score(new, ours.predict(new)) == 1.0


@pytest.mark.parametrize("n_targets", [1, 2])
def test_regressor_predicts_the_same_in_the_unit_of_its_targets(n_targets):
    table = make_table()
    y = 1_000.0 * np.stack([table["skewed"], table["flag"] - table["tied"]], axis=1)[:, :n_targets]
    ours = DaskMLPRegressor(**PLAIN).fit(table, y[:, 0] if n_targets == 1 else y)
    theirs, new = ours.to_sklearn(), make_table(seed=1)
    np.testing.assert_allclose(theirs.predict(new), ours.predict(new), rtol=1e-5, atol=1e-3)
    # Four kinds of columns: quantiles of as many values as there are, fewer where some are missing, and none.
    assert isinstance(theirs["scale"], ColumnTransformer)
    kinds = {type(each) for each in theirs["scale"].named_transformers_.values()}
    assert kinds == {QuantileTransformer, StandardScaler}


def test_several_labels_a_row():
    table = make_table()
    y = np.stack([labels_of(table, 2), table["flag"]], axis=1)
    ours = DaskMLPClassifier(**PLAIN).fit(table, y)
    theirs, new = ours.to_sklearn(), make_table(seed=1)
    np.testing.assert_allclose(theirs.predict_proba(new), ours.predict_proba(new), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(theirs.predict(new), ours.predict(new))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_preset_sklearn_needs_no_transformer():
    X = make_table()[["skewed", "flag"]].to_numpy()
    ours = DaskMLPClassifier((6,), preset="sklearn", max_iter=3, random_state=4).fit(X, X[:, 1])
    theirs = ours.to_sklearn()
    assert [name for name, _ in theirs.steps] == ["round", "widen", "mlp"]
    mlp = theirs["mlp"]
    assert (mlp.get_params()["random_state"], mlp.n_iter_, mlp.t_, mlp.n_layers_) == (4, 3, 900, 3)
    assert mlp.loss_curve_ == ours.loss_curve_
    np.testing.assert_allclose(theirs.predict_proba(X), ours.predict_proba(X), rtol=1e-12)


def test_part_that_scikit_learn_has_not_is_named():
    table, fix = make_table(), 'Train with preset="sklearn", or with that switched off.'
    table["colour"] = np.where(table["flag"] == 1, "red", "blue")
    y = labels_of(table, 2)

    def refused(columns: list[str], **given: object) -> str:
        model = DaskMLPClassifier(**(PLAIN | {"max_iter": 1} | given)).fit(table[columns], y)
        with pytest.raises(ModelError) as caught:
            model.to_sklearn()
        return str(caught.value)

    numbers = ["skewed", "flag"]
    assert refused(["flag", "colour"]) == f"scikit-learn has no embedding of categorical columns. {fix}"
    assert refused(numbers, numeric_embedding="periodic") == (
        f"scikit-learn has no periodic embedding of numbers (numeric_embedding). {fix}"
    )
    assert refused(numbers, activation="silu") == f"scikit-learn has no activation 'silu'. {fix}"
    assert refused(numbers, residual=True, hidden_layer_sizes=(4, 4)) == (
        f"scikit-learn has no bridge around a hidden layer (residual). {fix}"
    )
