"""Several labels a row: how they are given, what fit refuses, and what predict and score answer."""

from pathlib import Path

import catboost
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from distributed import Client
from sklearn.metrics import accuracy_score, r2_score

from gbdist import DaskCatBoostClassifier, DaskCatBoostRegressor, DaskPool
from gbdist.errors import DataError, ParameterError
from gbdist.models.catboost_format import fixed_cbm_bytes

rng = np.random.default_rng(2)
FEATURES = ["a", "b", "c"]
VALUES = rng.normal(size=(300, 3)).astype(np.float32)
NUMBERS = np.stack([VALUES[:, 0] + rng.normal(size=300) * 0.1, 2.0 - VALUES[:, 1]], axis=1)
FLAGS = (NUMBERS > [0.0, 2.0]).astype(np.int64)
TABLE = pd.DataFrame(VALUES, columns=FEATURES).assign(u=NUMBERS[:, 0], v=NUMBERS[:, 1], f=FLAGS[:, 0], g=FLAGS[:, 1])
WEIGHT = rng.uniform(0.5, 2.0, 300)


def regressor(loss: str = "MultiRMSE", **more: object) -> DaskCatBoostRegressor:
    return DaskCatBoostRegressor(loss_function=loss, iterations=8, depth=3, learning_rate=0.3, **more)


def classifier(loss: str = "MultiLogloss", **more: object) -> DaskCatBoostClassifier:
    return DaskCatBoostClassifier(loss_function=loss, iterations=8, depth=3, learning_rate=0.3, **more)


def with_some(value: float) -> np.ndarray:
    labels = NUMBERS.copy()
    labels[:7, 1] = value
    return labels


def test_any_container_of_labels_gives_the_same_model() -> None:
    expected = fixed_cbm_bytes(regressor().fit(TABLE[FEATURES], NUMBERS).model_)
    frame = TABLE[["u", "v"]]
    for labels in (frame, pl.from_pandas(frame), pa.Table.from_pandas(frame), NUMBERS.tolist()):
        assert fixed_cbm_bytes(regressor().fit(TABLE[FEATURES], labels).model_) == expected
    assert fixed_cbm_bytes(regressor().fit(TABLE[[*FEATURES, "u", "v"]], ["u", "v"]).model_) == expected


def test_scores_are_those_of_scikit_learn() -> None:
    numbers, flags = regressor().fit(VALUES, NUMBERS), classifier().fit(VALUES, FLAGS)
    assert numbers.score(VALUES, NUMBERS, WEIGHT) == pytest.approx(
        r2_score(NUMBERS, numbers.predict(VALUES), sample_weight=WEIGHT)
    )
    assert flags.score(VALUES, FLAGS) == accuracy_score(FLAGS, flags.predict(VALUES)) > 0.9
    uncertain = regressor("RMSEWithUncertainty").fit(VALUES, NUMBERS[:, 0])
    assert uncertain.score(VALUES, NUMBERS[:, 0]) == r2_score(NUMBERS[:, 0], uncertain.predict(VALUES)[:, 0]) > 0.5


def test_collections_are_predicted_and_scored_where_they_are(client: Client) -> None:
    frame = dd.from_pandas(TABLE.assign(w=WEIGHT), npartitions=3)
    numbers = regressor(client=client).fit(frame[[*FEATURES, "u", "v"]], ["u", "v"])
    answer = numbers.predict(frame[FEATURES]).compute()
    assert answer.columns.tolist() == ["0", "1"]
    assert np.array_equal(answer, numbers.predict(TABLE[FEATURES]))
    given = frame[[*FEATURES, "u", "v", "w"]]
    assert numbers.score(given, ["u", "v"], "w") == pytest.approx(numbers.score(TABLE[FEATURES], NUMBERS, WEIGHT))
    flags = classifier(client=client).fit(frame[FEATURES], frame[["f", "g"]])
    lazy = flags.predict(frame[FEATURES])
    assert lazy.dtypes.tolist() == [np.int64, np.int64]
    assert np.array_equal(lazy.compute(), flags.predict(TABLE[FEATURES]))
    assert flags.score(frame[FEATURES], frame[["f", "g"]]) == flags.score(TABLE[FEATURES], FLAGS)
    stages = list(flags.staged_predict(TABLE[FEATURES], eval_period=8))
    assert np.array_equal(stages[-1], lazy.compute())
    uncertain = regressor("RMSEWithUncertainty", client=client).fit(frame[FEATURES], frame["u"])
    assert uncertain.score(frame[FEATURES], frame["u"]) == pytest.approx(uncertain.score(TABLE[FEATURES], TABLE["u"]))


def test_pools_keep_labels(client: Client, tmp_path: Path) -> None:
    missing = TABLE.assign(v=TABLE["v"].mask(np.arange(300) % 5 == 0))[[*FEATURES, "u", "v"]]
    expected = fixed_cbm_bytes(regressor("MultiRMSEWithMissingValues").fit(missing, ["u", "v"]).model_)
    frame = dd.from_pandas(missing, npartitions=4)
    with DaskPool(frame, ["u", "v"], client=client) as pool:
        pool.save(str(tmp_path / "pool"))
        assert pool.nbytes == 300 * (3 + 8)
        assert fixed_cbm_bytes(regressor("MultiRMSEWithMissingValues", client=client).fit(pool).model_) == expected
        with pytest.raises(DataError, match=r"found 60 missing value\(s\), expected a label in every row"):
            regressor(client=client).fit(pool)
    with DaskPool.load(str(tmp_path / "pool"), client) as pool:
        assert fixed_cbm_bytes(regressor("MultiRMSEWithMissingValues", client=client).fit(pool).model_) == expected


def test_eval_sets_weights_and_metrics_are_catboosts() -> None:
    params = {"bootstrap_type": "No", "random_strength": 0, "custom_metric": ["HammingLoss", "F1", "Accuracy"]}
    ours = classifier(**params).fit(VALUES[:200], FLAGS[:200], eval_set=(VALUES[200:], FLAGS[200:]))
    theirs = catboost.CatBoostClassifier(
        loss_function="MultiLogloss", iterations=8, depth=3, learning_rate=0.3, verbose=False, allow_writing_files=False, **params
    ).fit(VALUES[:200], FLAGS[:200], eval_set=(VALUES[200:], FLAGS[200:]))  # fmt: skip
    assert ours.best_iteration_ == theirs.best_iteration_
    for name, curve in theirs.evals_result_["validation"].items():
        assert ours.evals_result_["validation"][name] == pytest.approx(curve, abs=1e-9)


def test_predictions_start_from_a_baseline_of_as_many_raw_values() -> None:
    baseline = np.stack([np.round(NUMBERS[:, 0]), np.ones(300)], axis=1)
    certain = {"bootstrap_type": "No", "random_strength": 0, "boost_from_average": False}
    model = regressor(**certain).fit(VALUES, NUMBERS, baseline=baseline)
    rest = regressor(**certain).fit(VALUES, NUMBERS - baseline)
    assert model.predict(VALUES) == pytest.approx(rest.predict(VALUES), abs=1e-5)
    with pytest.raises(DataError, match=r"found 1 column\(s\), expected 2, one for each raw value"):
        model.fit(VALUES, NUMBERS, baseline=baseline[:, 0])


@pytest.mark.parametrize(
    ("model", "labels", "message"),
    [
        (
            regressor("RMSE"),
            NUMBERS,
            "y: found 2 columns, expected one label a row. Pass one column, or set loss_function to MultiRMSE or "
            "MultiRMSEWithMissingValues.",
        ),
        (
            regressor("Cox"),
            NUMBERS,
            "y: found 2 columns, expected one label a row. Pass the time alone, negative where nothing had happened by then, "
            "or use SurvivalAft for two ends of a time.",
        ),
        (
            DaskCatBoostClassifier(),
            FLAGS,
            "y: found 2 columns, expected one label a row. Pass one column, or set loss_function to MultiLogloss or "
            "MultiCrossEntropy.",
        ),
        (
            regressor(),
            with_some(np.nan),
            "y: found 7 missing value(s), expected a label in every row. Drop or repair those rows, or use "
            "MultiRMSEWithMissingValues, which leaves missing labels out.",
        ),
        (
            regressor("MultiRMSEWithMissingValues"),
            with_some(np.inf),
            "y of partition 0: found 7 missing or infinite value(s), expected a finite label in every "
            "row. Drop or repair those rows.",
        ),
        (
            classifier(),
            FLAGS * 0.5,
            "y: found the label 0.5, expected 0 or 1. Use MultiCrossEntropy for probabilities.",
        ),
        (
            classifier("MultiCrossEntropy"),
            FLAGS * 2,
            "y: found labels from 0 to 2, expected probabilities from 0 to 1 for MultiCrossEntropy. Check y, or use another "
            "loss_function.",
        ),
        (
            regressor("MultiRMSEWithMissingValues"),
            np.stack([NUMBERS[:, 0], np.full(300, np.nan)], axis=1),
            "y: found a column without values, expected a label in some row. Leave the column out.",
        ),
        (
            regressor("Cox"),
            -np.abs(NUMBERS[:, 0]),
            "y: found no label above 0, expected times of events above 0, and times without one below 0. Check the signs of y.",
        ),
        (
            regressor("SurvivalAft"),
            NUMBERS[:, 0],
            "y: found 1 column(s), expected the two ends of a time for SurvivalAft. Pass two columns, lower and upper end, "
            "-1 for none; both the time itself where it is known.",
        ),
        (
            regressor("SurvivalAft"),
            np.where(FLAGS[:, :1] == 1, [[3.0, 2.0]], [[1.0, -1.0]]),
            f"y: found {FLAGS[:, 0].sum()} row(s) with a lower end above the upper one, expected lower ends up to the upper "
            "ones. Swap them.",
        ),
        (
            regressor("SurvivalAft"),
            np.where(FLAGS[:, :1] == 1, [[-1.0, -1.0]], [[1.0, -1.0]]),
            f"y: found {FLAGS[:, 0].sum()} row(s) with neither end, expected at least one end. Leave those rows out: they say "
            "nothing.",
        ),
        (
            regressor("SurvivalAft"),
            np.where(FLAGS[:, :1] == 1, [[0.0, 2.0]], [[1.0, -1.0]]),
            f"y: found {FLAGS[:, 0].sum()} row(s) with an end at 0 or below, expected times above 0, or -1 for none. Correct "
            "those rows.",
        ),
    ],
    ids=range(13),
)
def test_labels_that_do_not_fit_are_refused(model: DaskCatBoostRegressor, labels: np.ndarray, message: str) -> None:
    with pytest.raises(DataError) as refusal:
        model.fit(VALUES, labels)
    assert str(refusal.value) == message


def test_misspelt_columns_of_labels_are_named() -> None:
    table = TABLE[FEATURES].assign(f=NUMBERS[:, 0], g=NUMBERS[:, 1])
    with pytest.raises(DataError, match=r"^y: found the column name 'gg', expected a column of X\."):
        regressor().fit(table, ["f", "gg"])
    with pytest.raises(DataError, match=r"^eval_set, y: found the column name 'gg', expected a column of X\."):
        regressor().fit(table, ["f", "g"], eval_set=(table, ["f", "gg"]))


def test_strings_and_other_numbers_of_labels_are_refused() -> None:
    texts = pd.DataFrame({"f": ["x", "y"] * 150, "g": ["x", "y"] * 150})
    with pytest.raises(DataError, match="y: found values that are not numbers"):
        classifier().fit(VALUES, texts)
    with pytest.raises(DataError, match="y: found strings, expected numbers"):
        classifier().fit(TABLE[FEATURES].assign(f=texts["f"], g=texts["g"]), ["f", "g"])
    with pytest.raises(DataError) as refusal:
        regressor().fit(VALUES, NUMBERS, eval_set=(VALUES, NUMBERS[:, 0]))
    assert str(refusal.value) == (
        "eval_set, y: found 1 column(s), expected 2 as in the training set. Give every data set the same labels."
    )
    with pytest.raises(DataError, match=r"y: found .*, expected each column once"):
        regressor().fit(TABLE[[*FEATURES, "u"]], ["u", "u"])
    with pytest.raises(DataError, match="y: found the column name 'nosuch'"):
        regressor().fit(dd.from_pandas(TABLE, npartitions=2), ["u", "nosuch"])


def test_losses_of_several_labels_are_for_histograms() -> None:
    with pytest.raises(ParameterError, match="loss_function='MultiRMSE' cannot be used"):
        regressor(aggregate="models").fit(VALUES, NUMBERS)
    with pytest.raises(DataError) as refusal:
        classifier(aggregate="models").fit(VALUES, FLAGS)
    assert str(refusal.value) == (
        'y: found 2 columns, expected one label a row with aggregate="models". '
        "Leave aggregate out: histograms are counted for them."
    )


def test_what_cox_does_not_take_is_refused() -> None:
    with pytest.raises(DataError) as refusal:
        regressor("Cox").fit(VALUES, NUMBERS[:, 0], sample_weight=WEIGHT)
    assert str(refusal.value) == (
        "sample_weight: found weights, expected none with loss_function='Cox'. "
        "Leave it out: CatBoost takes weights beside Cox, and does not heed them."
    )
    with pytest.raises(ParameterError) as refused:
        regressor("Cox", leaf_estimation_iterations=3).fit(VALUES, NUMBERS[:, 0])
    assert str(refused.value) == (
        "leaf_estimation_iterations=3 cannot be used: expected 1 with loss_function='Cox', unless "
        "leaf_estimation_backtracking='No'. Set one."
    )
    several = regressor("Cox", leaf_estimation_iterations=3, leaf_estimation_backtracking="No")
    assert several.fit(VALUES, NUMBERS[:, 0]).tree_count_ == 8


def test_one_label_is_enough() -> None:
    one = regressor(bootstrap_type="No").fit(VALUES, NUMBERS[:, 0])
    same = regressor("RMSE", bootstrap_type="No").fit(VALUES, NUMBERS[:, 0])
    assert np.array_equal(one.predict(VALUES), same.predict(VALUES))
    flags = classifier(bootstrap_type="No").fit(VALUES, FLAGS[:, 0])
    assert flags.predict(VALUES).shape == (300, 1)


def test_labels_that_are_all_the_same_have_a_deviation() -> None:
    model = regressor("RMSEWithUncertainty", allow_const_label=True).fit(VALUES, np.full(300, 7.0))
    mean, variance = model.predict(VALUES)[0]
    assert mean == pytest.approx(7.0)
    assert 0.0 < variance < 1e-9
