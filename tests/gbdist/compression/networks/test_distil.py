"""Students that say what their teachers say, of the teacher's kind and with its classes."""

import catboost
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskMLPClassifier, DaskMLPRegressor
from gbdist.compression.networks import distil_to_network, distil_to_trees
from gbdist.errors import DataError, ModelError, ParameterError

from .networks import fitted, frame

SMALL = {"hidden_layer_sizes": (16,), "max_iter": 60, "embedding_size": 6, "early_stopping": False}


def labels(X: pd.DataFrame, classes: int) -> np.ndarray:
    score = X["a"] + (X["town"] == "Oslo")
    return np.array(["no", "perhaps", "yes"])[np.digitize(score, [0.0, 1.0][: classes - 1])]


def target(X: pd.DataFrame) -> np.ndarray:
    return np.asarray(100 + 10 * (X["a"] + (X["town"] == "Oslo")))


def trees(classes: int, X: pd.DataFrame):
    if classes:
        return DaskCatBoostClassifier(iterations=20, verbose=False).fit(X, labels(X, classes))
    return DaskCatBoostRegressor(iterations=20, verbose=False).fit(X, target(X))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(np.ravel(one), np.ravel(other))[0, 1])


def without_mean(raw: np.ndarray) -> np.ndarray:
    return raw if raw.ndim == 1 else raw - raw.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_network_says_what_a_classifier_of_trees_says(classes):
    X, new = frame(), frame(seed=5)
    teacher = trees(classes, X)
    student = distil_to_network(teacher, X, DaskMLPClassifier(**SMALL))
    assert isinstance(student, DaskMLPClassifier)
    assert student.classes_.tolist() == teacher.classes_.tolist()
    assert student.hidden_layer_sizes == (16,)
    raw = teacher.predict(new, "RawFormulaVal")
    assert correlation(without_mean(student.predict_raw(new)), without_mean(raw)) > 0.9
    assert (student.predict(new) == teacher.predict(new)).mean() > 0.9
    assert np.abs(student.predict_proba(new) - teacher.predict_proba(new)).mean() < 0.1


def test_a_student_of_a_classifier_is_saved_and_trained_on_as_one(tmp_path):
    X = frame()
    student = distil_to_network(trees(2, X), X, DaskMLPClassifier(**SMALL))
    student.save_model(tmp_path / "student.mlp")
    loaded = DaskMLPClassifier().load_model(tmp_path / "student.mlp")
    np.testing.assert_array_equal(loaded.predict_proba(X), student.predict_proba(X))
    student.set_params(warm_start=True).fit(X, labels(X, 2))
    assert student.model_.spec.hidden == loaded.model_.spec.hidden
    assert (student.predict(X) == labels(X, 2)).mean() > 0.9


def test_a_network_says_what_a_regressor_predicts():
    X, new = frame(), frame(seed=5)
    teacher = trees(0, X)
    student = distil_to_network(teacher, X, DaskMLPRegressor(**SMALL), copies=2)
    assert isinstance(student, DaskMLPRegressor)
    assert np.abs(student.predict(new) - teacher.predict(new)).mean() < 0.2 * teacher.predict(new).std()


def test_a_poisson_teacher_is_followed_in_what_it_predicts():
    X = frame()
    teacher = DaskCatBoostRegressor(loss_function="Poisson", iterations=10, verbose=False).fit(X, target(X))
    student = distil_to_network(teacher, X, DaskMLPRegressor(**SMALL))
    assert abs(student.predict(X).mean() - teacher.predict(X).mean()) < 5.0


def test_a_model_of_catboost_alone_teaches_as_gbdists_do():
    X = frame()
    teacher = trees(2, X)
    plain = catboost.CatBoostClassifier(iterations=5, verbose=False, cat_features=["town"]).fit(X, labels(X, 2))
    quick = DaskMLPClassifier(**{**SMALL, "max_iter": 2})
    ours, theirs = distil_to_network(teacher, X, quick), distil_to_network(teacher.to_local(), X, quick)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    assert distil_to_network(plain, X, quick).classes_.tolist() == ["no", "perhaps"]
    regressor = catboost.CatBoostRegressor(iterations=5, verbose=False, cat_features=["town"]).fit(X, target(X))
    assert isinstance(distil_to_network(regressor, X, DaskMLPRegressor(**{**SMALL, "max_iter": 2})), DaskMLPRegressor)


def test_a_network_teaches_a_smaller_one():
    teacher = fitted((8, 6), classes=3, max_iter=5)
    student = distil_to_network(teacher, frame(), DaskMLPClassifier(**SMALL))
    assert student.classes_.tolist() == ["x", "y", "z"]
    assert correlation(student.predict_proba(frame()), teacher.predict_proba(frame())) > 0.95


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_trees_say_what_a_network_says_and_are_plain_catboost(classes, tmp_path):
    X, new = frame(), frame(seed=5)
    if classes:
        teacher = DaskMLPClassifier(**SMALL).fit(X, labels(X, classes))
        kind = DaskCatBoostClassifier
    else:
        teacher = DaskMLPRegressor(**SMALL).fit(X, target(X))
        kind = DaskCatBoostRegressor
    student = distil_to_trees(teacher, X, kind(iterations=60, learning_rate=0.2, depth=4, verbose=False))
    assert type(student) is kind
    assert student.cat_features_ == [1]
    raw = student.predict(new, "RawFormulaVal")
    assert correlation(without_mean(raw), without_mean(teacher.predict_raw(new))) > 0.9
    student.save_model(tmp_path / "trees.cbm")
    plain = (catboost.CatBoostClassifier if classes else catboost.CatBoostRegressor)()
    plain.load_model(str(tmp_path / "trees.cbm"))
    np.testing.assert_array_equal(plain.predict(new).ravel(), student.predict(new))
    if classes:
        assert plain.classes_.tolist() == student.classes_.tolist() == teacher.classes_.tolist()
        np.testing.assert_allclose(plain.predict_proba(new), student.predict_proba(new), rtol=1e-12)
        np.testing.assert_allclose(student.predict_proba(new).sum(axis=1), 1.0)
        again = DaskCatBoostClassifier().load_model(tmp_path / "trees.cbm")
        np.testing.assert_array_equal(again.predict(new), student.predict(new))


def test_classes_keep_their_types():
    X = frame()[["a", "b"]].to_numpy()
    for names in ((False, True), (-3, 7), (0.5, 1.5)):
        teacher = DaskMLPClassifier((4,), max_iter=1).fit(X, np.array(names)[(X[:, 0] > 0).astype(int)])
        student = distil_to_trees(teacher, X, DaskCatBoostClassifier(iterations=2, verbose=False))
        assert student.classes_.tolist() == list(names)
        assert student.predict(X).dtype == teacher.predict(X).dtype


def test_collections_stay_collections(client):
    frame_ = frame()
    X = dd.from_pandas(frame_, npartitions=3)
    teacher = trees(3, frame_)
    student = distil_to_network(teacher, X, DaskMLPClassifier(**SMALL, client=client))
    assert correlation(student.predict_proba(frame_), teacher.predict_proba(frame_)) > 0.9
    values = frame_[["a", "b"]].to_numpy()
    network = DaskMLPRegressor(**SMALL).fit(values, values[:, 0])
    lazy = da.from_array(values, chunks=(150, 2))
    template = DaskCatBoostRegressor(iterations=40, learning_rate=0.2, verbose=False, client=client)
    grown = distil_to_trees(network, lazy, template)
    assert correlation(grown.predict(values), network.predict(values)) > 0.95


def test_bad_input_is_named():
    X = frame(60)
    teacher, network = trees(2, X), fitted((4,), classes=2)

    def text(error, act):
        with pytest.raises(error) as caught:
            act()
        return str(caught.value)

    assert text(ParameterError, lambda: distil_to_network(teacher, X, DaskMLPRegressor())) == (
        "network='DaskMLPRegressor' cannot be used: expected a DaskMLPClassifier. "
        "A student is of its teacher's kind: a classifier's is one, with the same classes."
    )
    assert text(ParameterError, lambda: distil_to_trees(network, X, DaskCatBoostRegressor())).startswith(
        "trees='DaskCatBoostRegressor' cannot be used: expected a DaskCatBoostClassifier."
    )
    assert text(ParameterError, lambda: distil_to_network("model.cbm", X)) == (
        "model='str' cannot be used: expected a fitted DaskCatBoostClassifier, DaskCatBoostRegressor or DaskMLP, "
        "or a catboost.CatBoost. Load a saved one first."
    )
    assert text(ModelError, lambda: distil_to_network(catboost.CatBoostRegressor(), X)) == (
        "CatBoostRegressor is not fitted: it has no trees. Fit it, or load a saved model."
    )
    assert text(ParameterError, lambda: distil_to_network(teacher, X, DaskMLPClassifier(class_weight="balanced"))) == (
        "class_weight='balanced' cannot be used: expected nothing, as there are no labels. "
        "Leave it out: a student follows raw outputs, not labels."
    )
    given = DaskCatBoostClassifier(loss_function="Logloss")
    assert text(ParameterError, lambda: distil_to_trees(network, X, given)) == (
        "loss_function='Logloss' cannot be used: expected nothing, as there are no labels. "
        "Leave it out: a student follows raw outputs by the squared error."
    )
    one_vs_all = DaskCatBoostClassifier(loss_function="MultiClassOneVsAll", iterations=2, verbose=False)
    one_vs_all.fit(X, labels(X, 3))
    assert text(ModelError, lambda: distil_to_network(one_vs_all, X)) == (
        "The model's probabilities (MultiClassOneVsAll) do not add up to 1, and the student's would. "
        "Distil a model of Logloss, CrossEntropy or MultiClass."
    )
    with pytest.raises(NotFittedError):
        distil_to_network(DaskCatBoostClassifier(), X)
    with pytest.raises(NotFittedError):
        distil_to_trees(DaskMLPClassifier(), X)
    with pytest.raises(DataError, match=r"now missing:\n- town"):
        distil_to_network(teacher, X[["a", "b"]])
