"""Parameters are checked under every name, and each refusal says what to do."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier
from catboost.metrics import AUC

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.canonical import canonical, class_order
from gbdist.estimators.parameters.table import ALIASES, TABLE, OnlyAt

LEAVE_OUT = "Leave it out for CatBoost's default."
TOGETHER = "expected a value that CatBoost takes together with the other parameters. CatBoost says: "
NO_GPU = 'It is about CatBoost\'s own GPU trainer, which aggregate="models" uses; leave it out with histograms.'
KINDS = "expected statistics of kind Borders, Buckets or Counter. "
DESCRIPTION = f"expected a description such as 'Borders:Prior=0.5', or a list of them. {LEAVE_OUT}"
ONE_TARGET = (
    "expected the same borders of the target for all statistics. "
    "Give simple_ctr, combinations_ctr and per_feature_ctr the same TargetBorderCount and TargetBorderType."
)
NO_TEXT = (
    'Set aggregate="models", which takes text and embedding columns; or turn them into numbers, or drop the column.'
)
NO_PENALTY = "Rows are not asked what they cost; leave it out, or use first_feature_use_penalties."
CONSTRAINTS = (
    "expected -1 (falling), 0 or 1 (rising): a list, one for each column of X, or a dictionary {column: one}. "
    f"{LEAVE_OUT}"
)
COLUMN_NUMBERS = (
    "expected numbers of at least 0: a list with one for each column of X, or a dictionary {column: number}. "
    "Leave it out for CatBoost's default."
)
LOSSGUIDE = '"max_leaves option works only with lossguide tree growing". Set grow_policy="Lossguide", or leave it out.'
OTHER_LOSS = 'Set aggregate="models" for CatBoost\'s other losses, or pass an object (docs/custom.md).'
WEIGHTS = (
    "expected weights of at least 0, not all 0: a list in the order of the classes, or a dictionary {label: weight}. "
    "For weights from the data use auto_class_weights='Balanced'."
)
LOSSES = "'Logloss' or 'CrossEntropy' or 'MultiClass' or 'MultiClassOneVsAll' or 'Focal' or 'MultiLogloss' or 'MultiCrossEntropy'"

#: (what the user writes, the error after "NAME=VALUE cannot be used: "); the last name written is the one refused
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"depth": 17}, f"expected an integer from 1 to 16. {LEAVE_OUT}"),
    ({"max_depth": "6"}, f"expected an integer from 1 to 16. {LEAVE_OUT}"),
    ({"depth": True}, f"expected an integer from 1 to 16. {LEAVE_OUT}"),
    ({"iterations": 2.5}, f"expected an integer of at least 1. {LEAVE_OUT}"),
    ({"border_count": 65536}, f"expected an integer from 1 to 65535. {LEAVE_OUT}"),
    ({"random_state": -1}, f"expected an integer from 0 to 9223372036854775807. {LEAVE_OUT}"),
    ({"learning_rate": 0}, f"expected a number above 0. {LEAVE_OUT}"),
    ({"eta": float("nan")}, f"expected a number above 0. {LEAVE_OUT}"),
    ({"l2_leaf_reg": "3"}, f"expected a number of at least 0. {LEAVE_OUT}"),
    ({"rsm": 1.5}, f"expected a number above 0, up to 1. {LEAVE_OUT}"),
    ({"use_best_model": 1}, f"expected True or False. {LEAVE_OUT}"),
    ({"score_function": "NewtonL2"}, f"expected one of 'Cosine', 'L2'. {LEAVE_OUT}"),
    ({"bootstrap_type": "Poisson"}, f"expected one of 'No', 'Bernoulli', 'Bayesian', 'MVS'. {LEAVE_OUT}"),
    ({"od_type": "Wilcoxon"}, f"expected one of 'None', 'Iter', 'IncToDec'. {LEAVE_OUT}"),
    ({"n_jobs": 0}, f"expected a number of threads, or -1 for all that Dask gave the worker. {LEAVE_OUT}"),
    ({"verbose": -1}, f"expected True, False, or every how many trees to tell. {LEAVE_OUT}"),
    ({"loss_function": "RMSE"}, f"expected {LOSSES}. Use DaskCatBoostRegressor, or another loss."),
    ({"loss_function": "QueryRMSE"}, f"expected {LOSSES}. Use DaskCatBoostRanker, or another loss."),
    ({"loss_function": "PairLogitPairwise"}, f"expected {LOSSES}. Use DaskCatBoostRanker, or another loss."),
    ({"loss_function": "LogLos"}, f"expected {LOSSES}. Did you mean 'Logloss'?"),
    (
        {"loss_function": "QuerySoftmx"},
        f"expected {LOSSES}. Did you mean 'QuerySoftMax'? DaskCatBoostRanker trains it.",
    ),
    ({"loss_function": "Zzz"}, f"expected {LOSSES}. Choose one of these, or pass an object (docs/custom.md)."),
    ({"objective": "Logloss:border=0.3"}, "expected no options. Leave 'border' out."),
    (
        {"loss_function": "Focal:focal_alpha=0.3"},
        "expected focal_gamma, above 0. Write it as in 'Focal:focal_alpha=0.5;focal_gamma=1'.",
    ),
    ({"custom_loss": 3}, "expected the name of a metric or a list of names. An object can be the eval_metric alone."),
    ({"class_weights": [1, -1]}, WEIGHTS),
    ({"class_weights": {"a": 0, "b": 0}}, WEIGHTS),
    ({"class_weights": 3}, WEIGHTS),
    ({"nonsense": 1}, "expected a parameter of CatBoost. docs/parity.md lists all of them."),
    ({"dept": 3}, "expected a parameter of CatBoost. Did you mean depth?"),
    (
        {"eta": 0.1, "learning_rate": 0.1},
        "expected learning_rate under one name. eta=0.1 is given too; keep one of them.",
    ),
    (
        {"iterations": 4, "num_trees": 5},
        "expected iterations under one name. iterations=4 is given too; keep one of them.",
    ),
    (
        {"od_wait": 3, "early_stopping_rounds": 3},
        "expected od_wait under one name. od_wait=3 is given too; keep one of them.",
    ),
    (
        {"verbose": 1, "silent": True},
        "expected only one of verbose, silent, logging_level. verbose=1 is given too; keep one of them.",
    ),
    (
        {"class_weights": [1, 2], "auto_class_weights": "Balanced"},
        "expected only one of scale_pos_weight, class_weights, auto_class_weights. "
        "class_weights=[1, 2] is given too; keep one of them.",
    ),
    (
        {"loss_function": "CrossEntropy", "scale_pos_weight": 2},
        "expected it to be left out unless the loss is Logloss. Use class_weights instead.",
    ),
    (
        {"bootstrap_type": "Bayesian", "subsample": 0.5},
        TOGETHER + "\"bayesian bootstrap doesn't support 'subsample' option\".",
    ),
    (
        {"loss_function": "MultiClass", "subsample": 0.5},
        TOGETHER + "\"default bootstrap type (bayesian) doesn't support 'subsample' option\".",
    ),
    (
        {"bootstrap_type": "Bernoulli", "bagging_temperature": 1},
        TOGETHER + '"bagging temperature available for bayesian bootstrap only".',
    ),
    (
        {"bootstrap_type": "No", "subsample": 0.5},
        TOGETHER + '"you shoudn\'t provide bootstrap options if bootstrap is disabled".',
    ),
    (
        {"od_type": "Iter", "od_pval": 0.1},
        TOGETHER + '"Auto-stop PValue is not a valid parameter for Iter overfitting detector.".',
    ),
    ({"num_leaves": 20}, TOGETHER + LOSSGUIDE),
    (
        {"loss_function": "Logloss", "class_weights": [1, 2, 3]},
        TOGETHER + '"if loss-function is Logloss, then class weights should be given for 0 and 1 classes".',
    ),
    ({"eval_metric": "auc"}, TOGETHER + "\"Key 'auc' not found in enum ELossFunction\". Did you mean AUC?"),
    ({"eval_metric": "Bla"}, TOGETHER + "\"Key 'Bla' not found in enum ELossFunction\"."),
    (
        {"boosting_type": "Ordered"},
        "expected 'Plain' (boosting is plain). "
        "Ordered boosting is not trained on histograms; use 'Plain', or set aggregate=\"models\".",
    ),
    ({"grow_policy": "Region"}, f"expected one of 'SymmetricTree', 'Depthwise', 'Lossguide'. {LEAVE_OUT}"),
    (
        {"grow_policy": "LossGuide"},
        "expected one of 'SymmetricTree', 'Depthwise', 'Lossguide'. Did you mean 'Lossguide'?",
    ),
    ({"grow_policy": "Lossguide", "max_leaves": 0}, f"expected an integer from 1 to 65536. {LEAVE_OUT}"),
    ({"grow_policy": "Lossguide", "num_leaves": 7.5}, f"expected an integer from 1 to 65536. {LEAVE_OUT}"),
    ({"grow_policy": "Lossguide", "depth": 17}, f"expected an integer from 1 to 16. {LEAVE_OUT}"),
    ({"grow_policy": "Depthwise", "min_child_samples": -1}, f"expected a number of at least 0. {LEAVE_OUT}"),
    (
        {"grow_policy": "Depthwise", "max_depth": 16},
        "expected at most 15 with grow_policy='Depthwise'. "
        "Larger trees make CatBoost crash when they predict: lower it.",
    ),
    (
        {"grow_policy": "Lossguide", "num_leaves": 32769},
        "expected at most 32768 with grow_policy='Lossguide'. "
        "Larger trees make CatBoost crash when they predict: lower it.",
    ),
    (
        {"grow_policy": "Depthwise", "max_leaves": 32},
        TOGETHER + LOSSGUIDE,
    ),
    (
        {"loss_function": "Logloss", "grow_policy": "Lossguide", "monotone_constraints": {"a": 1, "b": 0}},
        "expected no constraints with grow_policy='Lossguide', as in CatBoost. Leave one of them out.",
    ),
    (
        {"approx_on_full_history": True},
        "expected False (it is about ordered boosting). It needs ordered boosting; leave it out.",
    ),
    (
        {"sampling_frequency": "PerTreeLevel"},
        "expected 'PerTree' (rows are drawn once a tree). Rows are drawn once a tree; leave it out.",
    ),
    (
        {"sampling_unit": "Group"},
        "expected 'Object' (rows are drawn one by one). Rows are drawn one by one; leave it out.",
    ),
    (
        {"random_score_type": "Gumbel"},
        "expected 'NormalWithModelSizeDecrease' (the noise of scores is this one). Leave it out, or set random_strength=0.",
    ),
    ({"langevin": True}, "expected False (no noise is added to gradients). Langevin boosting is not trained here."),
    (
        {"posterior_sampling": True},
        "expected False (no noise is added to gradients). Langevin boosting is not trained here.",
    ),
    ({"diffusion_temperature": 5}, "expected it to be left out. Langevin boosting is not trained here."),
    ({"feature_weights": [1, -2]}, COLUMN_NUMBERS),
    ({"monotone_constraints": [1, 0.5]}, CONSTRAINTS),
    ({"monotone_constraints": {0: 2}}, CONSTRAINTS),
    ({"monotone_constraints": 1}, CONSTRAINTS),
    (
        {"loss_function": "MultiClass", "monotone_constraints": {"a": 1}},
        "expected a value that CatBoost takes together with the other parameters. "
        'CatBoost says: "Monotone constraints is unsupported for multiclass.".',
    ),
    ({"feature_weights": {True: 1}}, COLUMN_NUMBERS),
    ({"feature_weights": 3}, COLUMN_NUMBERS),
    ({"first_feature_use_penalties": "0:1"}, COLUMN_NUMBERS),
    ({"first_feature_use_penalties": {"a": float("inf")}}, COLUMN_NUMBERS),
    ({"penalties_coefficient": -1}, f"expected a number of at least 0. {LEAVE_OUT}"),
    ({"per_object_feature_penalties": {0: 1}}, f"expected nothing in it (there are none). {NO_PENALTY}"),
    (
        {"sparse_features_conflict_fraction": 0.1},
        "expected 0 (features are not bundled). Features are never bundled; leave it out.",
    ),
    ({"input_borders": "nosuch"}, "expected the path of a file that is there. Check the path."),
    (
        {"output_borders": "f"},
        "expected it to be left out. Borders are kept in the model; read them with model_.get_borders().",
    ),
    (
        {"ignored_features": [0.5]},
        'expected a list of columns of X, by name or position. Write ignored_features=["color"], for example.',
    ),
    ({"fixed_binary_splits": [1]}, f"expected nothing in it (there are none). {NO_GPU}"),
    (
        {"class_names": ["a", "b"]},
        "expected it to be left out. "
        "Classes are found in the data; their order and weights can be set with class_weights={label: weight}.",
    ),
    ({"classes_count": 3}, "expected it to be left out. Classes are counted in the data."),
    ({"target_border": 0.5}, "expected it to be left out. Turn y into two classes yourself, for example y > border."),
    ({"eval_fraction": 0.2}, "expected 0 (no rows are set apart). Give it to fit: fit(X, y, eval_fraction=...)."),
    (
        {"cat_features": "color"},
        'expected a list of columns of X, by name or position. Write cat_features=["color"], for example.',
    ),
    ({"one_hot_max_size": 256}, f"expected an integer from 0 to 255. {LEAVE_OUT}"),
    ({"max_ctr_complexity": 16}, f"expected an integer from 0 to 15. {LEAVE_OUT}"),
    ({"model_size_reg": -0.5}, f"expected a number of at least 0. {LEAVE_OUT}"),
    ({"ctr_leaf_count_limit": 0}, f"expected an integer of at least 1. {LEAVE_OUT}"),
    ({"store_all_simple_ctr": 1}, f"expected True or False. {LEAVE_OUT}"),
    ({"counter_calc_method": "full"}, "expected one of 'SkipTest', 'Full'. Did you mean 'Full'?"),
    ({"permutation_count": 0}, f"expected an integer of at least 1. {LEAVE_OUT}"),
    ({"has_time": "yes"}, f"expected True or False. {LEAVE_OUT}"),
    (
        {"fold_permutation_block": 64},
        "expected 0 or 1 (rows are permuted one by one). Rows are permuted one by one; leave it out.",
    ),
    (
        {"ctr_history_unit": "Group"},
        "expected 'Sample' (rows come one by one). It is about CatBoost's GPU trainer; leave it out.",
    ),
    (
        {"final_ctr_computation_mode": "Skip"},
        "expected 'Default' (models have their statistics). Without its statistics a model predicts nothing; leave it out.",
    ),
    ({"simple_ctr": 3}, DESCRIPTION),
    ({"combinations_ctr": []}, DESCRIPTION),
    (
        {"per_feature_ctr": "3:Counter"},
        f"expected a list such as ['3:Borders:Prior=0.5'], by position of the column. {LEAVE_OUT}",
    ),
    (
        {"per_feature_ctr": ["color:Counter"]},
        f"expected a list such as ['3:Borders:Prior=0.5'], by position of the column. {LEAVE_OUT}",
    ),
    (
        {"per_feature_ctr": ["3:Borders:Prior=0.5,Counter"]},
        "expected a prior in each description, for which CatBoost has no default. Write 'Counter:Prior=0.5', for example.",
    ),
    (
        {"simple_ctr": ["Counter", "BinarizedTargetMeanValue"]},
        KINDS + "BinarizedTargetMeanValue: CatBoost's JSON, which models are made of, cuts its sums to whole numbers: "
        "use Borders.",
    ),
    (
        {"combinations_ctr": "FloatTargetMeanValue"},
        KINDS + "FloatTargetMeanValue: CatBoost computes it on GPUs alone: use Borders.",
    ),
    (
        {"ctr_description": ["FeatureFreq:Prior=0"]},
        KINDS + "FeatureFreq: CatBoost computes it on GPUs alone: use Counter.",
    ),
    (
        {"simple_ctr": ["Bordres"]},
        "expected descriptions that CatBoost takes. CatBoost says: \"Key 'Bordres' not found in enum ECtrType\". "
        "Did you mean Borders?",
    ),
    (
        {"simple_ctr": ["Borders:CtrBorderType=Median"]},
        "expected descriptions that CatBoost takes. "
        'CatBoost says: "custom ctr binarization is not supported on CPU yet".',
    ),
    (
        {"simple_ctr": ["Borders:CtrBorderCount=256"]},
        "expected CtrBorderCount from 1 to 255. "
        "It is 256 in 'Borders:CtrBorderCount=256'; leave it out for CatBoost's default.",
    ),
    (
        {"simple_ctr": ["Counter:Prior=0/1", "Borders:Prior=1/2"]},
        "expected priors over 1, such as Prior=0.5 or Prior=0.5/1. It is 1/2 in 'Borders:Prior=1/2'.",
    ),
    ({"loss_function": "MultiClass", "simple_ctr": ["Borders:TargetBorderCount=2"]}, ONE_TARGET),
    ({"simple_ctr": ["Borders:TargetBorderType=Median"], "combinations_ctr": ["Borders"]}, ONE_TARGET),
    ({"simple_ctr": ["Counter"], "per_feature_ctr": ["1:Buckets:TargetBorderType=Median:Prior=1"]}, ONE_TARGET),
    (
        {"loss_function": "Logloss", "ctr_target_border_count": 2},
        TOGETHER + '"Setting TargetBorderCount is not supported for loss function Logloss".',
    ),
    ({"text_features": [0]}, f"expected nothing in it (histograms take numbers alone). {NO_TEXT}"),
    ({"embedding_features": [0]}, f"expected nothing in it (histograms take numbers alone). {NO_TEXT}"),
    ({"tokenizers": [{}]}, f"expected nothing in it (there are none). {NO_TEXT}"),
    ({"dictionaries": [{}]}, f"expected nothing in it (there are none). {NO_TEXT}"),
    ({"feature_calcers": ["BoW"]}, f"expected nothing in it (there are none). {NO_TEXT}"),
    ({"text_processing": {"a": 1}}, f"expected nothing in it (there is none). {NO_TEXT}"),
    ({"task_type": "TPU"}, "expected one of 'CPU', 'GPU', 'auto'. Leave it out for CatBoost's default."),
    ({"devices": "x"}, 'expected numbers of GPUs, such as "0", "0:2" or "0-3". Leave it out to use all.'),
    *(
        ({name: "x"}, f"expected it to be left out. {NO_GPU}")
        for name in ("device_config", "gpu_ram_part", "gpu_cat_features_storage", "data_partition")
    ),
    ({"pinned_memory_size": 100}, f"expected it to be left out. {NO_GPU}"),
    ({"used_ram_limit": "1gb"}, "expected it to be left out. Set the memory limit of the Dask workers."),
    (
        {"train_dir": "d"},
        "expected save_snapshot=True beside it. Set save_snapshot=True for snapshots; nothing else is written: follow a fit "
        "with fit(callbacks=...).",
    ),
    (
        {"allow_writing_files": True},
        "expected False (no files are written). No files are written while training; leave it out.",
    ),
    ({"save_snapshot": 1}, "expected True or False. Leave it out for CatBoost's default."),
    (
        {"allow_writing_files": False, "save_snapshot": True},
        "expected it to be left out with allow_writing_files=False. Leave out one of the two.",
    ),
    ({"snapshot_file": "f"}, "expected save_snapshot=True beside it. Set save_snapshot=True."),
    ({"snapshot_interval": 5}, "expected save_snapshot=True beside it. Set save_snapshot=True."),
    *(
        (
            {"save_snapshot": True, "snapshot_file": file},
            "expected a path, or a URL that fsspec knows. Leave it out for CatBoost's default.",
        )
        for file in (1, "", b"f")
    ),
    *(
        (
            {"save_snapshot": True, "snapshot_interval": seconds},
            "expected an integer of at least 0. Leave it out for CatBoost's default.",
        )
        for seconds in (-1, 1.5, "3", True)
    ),
    (
        {"metadata": {"a": "b"}},
        "expected it to be left out. Write it into the model after fit: model_.get_metadata()[key] = value.",
    ),
    ({"callback": 1}, "expected it to be left out. Give it to fit: fit(X, y, callbacks=[...])."),
]


@pytest.mark.parametrize(("given", "text"), REFUSED, ids=lambda case: "-".join(case) if isinstance(case, dict) else "")
def test_what_is_refused_and_what_it_says(given: dict[str, Any], text: str) -> None:
    name = list(given)[-1]
    with pytest.raises(ParameterError) as refusal:
        canonical(given, classifier=True)
    assert str(refusal.value) == f"{name}={given[name]!r} cannot be used: {text}"
    assert str(pickle.loads(pickle.dumps(refusal.value))) == str(refusal.value)


def test_every_parameter_that_can_be_refused_is_refused_above() -> None:
    tried = {ALIASES.get(name, name) for given, _ in REFUSED for name in given}
    refusable = {name for name, rule in TABLE.items() if getattr(rule, "fix", "")}
    assert refusable - tried == set()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"loss_function": "Quantle:alpha=0.9"},
            "loss_function='Quantle:alpha=0.9' cannot be used: expected 'RMSE' or 'MAE' or 'Quantile' or 'MAPE' or "
            "'LogLinQuantile' or "
            "'Poisson' or 'Lq' or 'Expectile' or 'Huber' or 'LogCosh' or 'Tweedie' or 'MultiQuantile' or "
            "'RMSEWithUncertainty' or 'MultiRMSE' or 'MultiRMSEWithMissingValues' or 'SurvivalAft' or 'Cox'. "
            "Did you mean 'Quantile'?",
        ),
        (
            {"loss_function": "Quantile:alpha=2"},
            "loss_function='Quantile:alpha=2' cannot be used: expected alpha to be from 0 to 1. Correct alpha.",
        ),
        (
            {"class_weights": [1, 2]},
            "class_weights=[1, 2] cannot be used: expected no classes in regression. "
            "Leave it out; weigh rows with fit(sample_weight=...).",
        ),
    ],
)
def test_what_the_regressor_refuses(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ParameterError) as refusal:
        canonical(given, classifier=False)
    assert str(refusal.value) == text


def test_a_combination_that_no_single_parameter_explains_is_quoted_whole() -> None:
    from gbdist.estimators.parameters.catboost_options import ANY_DATA, catboost_defaults

    with pytest.raises(ParameterError) as refusal:
        catboost_defaults({"loss_function": "RMSE", "leaf_estimation_method": "Exact"}, ANY_DATA)
    ours, quoted = str(refusal.value).split(" CatBoost says: ")
    assert ours == (
        "parameters={'loss_function': 'RMSE', 'leaf_estimation_method': 'Exact'} cannot be used: "
        "expected a combination that CatBoost takes."
    )
    # CatBoost's own words, which name more losses from release to release.
    assert quoted.startswith('"Exact method is only available for Quantile, ')
    assert quoted.endswith(' loss functions.".')


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        (
            {"save_snapshot": True, "snapshot_file": Path("a b"), "snapshot_interval": 0.0, "train_dir": "s3://runs"},
            {"save_snapshot": True, "snapshot_file": "a b", "snapshot_interval": 0, "train_dir": "s3://runs"},
        ),
        # Switched off, and ready to be switched on.
        (
            {"save_snapshot": False, "snapshot_file": "a", "snapshot_interval": 9, "train_dir": "d"},
            {"save_snapshot": False, "snapshot_file": "a", "snapshot_interval": 9, "train_dir": "d"},
        ),
        ({"depth": None, "eta": None}, {}),
        (
            {"eta": 0.1, "n_estimators": 5, "max_depth": 4, "reg_lambda": 2, "random_state": 7, "n_jobs": -1},
            {
                "learning_rate": 0.1,
                "iterations": 5,
                "depth": 4,
                "l2_leaf_reg": 2.0,
                "random_seed": 7,
                "thread_count": -1,
            },
        ),
        (
            {"depth": np.int64(4), "learning_rate": np.float32(0.5), "iterations": 2.0},
            {"depth": 4, "learning_rate": 0.5, "iterations": 2},
        ),
        ({"verbose": True}, {"verbose": 1}),
        (
            {"eval_metric": AUC(), "custom_metric": [AUC(), "F1"]},
            {"eval_metric": "AUC", "custom_metric": ("AUC", "F1")},
        ),
        ({"custom_loss": "AUC"}, {"custom_metric": ("AUC",)}),
        ({"class_weights": np.array([1.0, 3.0])}, {"class_weights": (1.0, 3.0)}),
        ({"class_weights": {"no": 1, "yes": 3}}, {"class_weights": {"no": 1.0, "yes": 3.0}}),
        # Weights for three classes: fine, the loss will be MultiClass.
        ({"class_weights": [1, 2, 3]}, {"class_weights": (1.0, 2.0, 3.0)}),
        (
            {"auto_class_weights": "None", "class_weights": [1, 2]},
            {"auto_class_weights": "None", "class_weights": (1.0, 2.0)},
        ),
        ({"cat_features": pd.Index([])}, {"cat_features": ()}),
        ({"cat_features": ["color", np.int64(3)]}, {"cat_features": ("color", 3)}),
        (
            {"simple_ctr": "Borders", "per_feature_ctr": ["1:Borders:Prior=-0.5/1,Counter:Prior=2"]},
            {"simple_ctr": ("Borders",), "per_feature_ctr": ("1:Borders:Prior=-0.5/1,Counter:Prior=2",)},
        ),
        ({"per_feature_ctr": []}, {"per_feature_ctr": ()}),
        (
            {"ctr_description": ["Borders:TargetBorderType=Median"], "permutation_count": 2.0, "has_time": True},
            {"ctr_description": ("Borders:TargetBorderType=Median",), "permutation_count": 2, "has_time": True},
        ),
        ({"boosting_type": "Plain", "task_type": "CPU"}, {"boosting_type": "Plain", "task_type": "CPU"}),
    ],
)
def test_what_is_taken_comes_back_in_plain_types(given: dict[str, Any], expected: dict[str, Any]) -> None:
    checked = canonical(given, classifier=True)
    assert checked == expected
    assert [type(value) for value in checked.values()] == [type(value) for value in expected.values()]


@pytest.mark.parametrize("name", [name for name, rule in TABLE.items() if isinstance(rule, OnlyAt) and rule.values])
def test_values_that_mean_what_is_done_anyway_are_taken(name: str) -> None:
    rule = TABLE[name]
    assert isinstance(rule, OnlyAt)
    for value in rule.values:
        assert canonical({name: value}, classifier=True) == {name: value}


#: A value of every parameter that is taken at any value, far from its default.
NO_EFFECT: dict[str, Any] = {
    "fold_len_multiplier": 1.5,
    "dev_score_calc_obj_block_size": 100,
    "dev_efb_max_buckets": 5,
    "name": "x",
}


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(500, 4)).astype(np.float32)
    return x, (x[:, 0] + x[:, 1] * x[:, 2] + random.normal(size=500) > 0).astype(int)


def test_every_parameter_taken_at_any_value_is_tried_below() -> None:
    assert set(NO_EFFECT) == {name for name, rule in TABLE.items() if isinstance(rule, OnlyAt) and not rule.values}


@pytest.mark.parametrize("name", sorted(NO_EFFECT))
def test_what_is_taken_at_any_value_changes_nothing_in_catboost(
    name: str, noisy: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = noisy

    def predictions(**more: Any) -> np.ndarray:
        settings = {"iterations": 8, "logging_level": "Silent", "allow_writing_files": False, "thread_count": 1, **more}
        return CatBoostClassifier(**settings).fit(x, y).predict(x, prediction_type="RawFormulaVal")

    assert canonical({name: NO_EFFECT[name]}, classifier=True)
    np.testing.assert_array_equal(predictions(**{name: NO_EFFECT[name]}), predictions())


def test_the_order_of_classes_is_that_of_the_dictionary() -> None:
    assert class_order(canonical({"class_weights": {"yes": 3, "no": 1}}, classifier=True)) == ("yes", "no")
    assert class_order(canonical({"class_weights": [3, 1]}, classifier=True)) is None
    assert class_order({}) is None
