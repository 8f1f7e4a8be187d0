"""Every parameter of CatBoost as data: what it may be here, or why it is refused and what to do instead."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from gbdist.boosting.shrinkage import MODES


@dataclass(frozen=True, slots=True)
class Used:
    """A parameter that means here what it means in CatBoost.

    ``kind`` names the check: "int", "float", "bool", "choice", "threads", "verbose", "loss", "metric", "metrics", "weights",
    "columns", "numbers of columns", "constraints of columns", "place", "devices", "statistics" or "statistics of columns".
    Numbers lie in [low, high], with ``above_low`` in (low, high].
    """

    kind: str
    low: float | None = None
    high: float | None = None
    above_low: bool = False
    choices: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class OnlyAt:
    """A parameter that is accepted at the values that mean what is done anyway.

    No ``values``: at every value. ``()`` stands for anything empty, 0 and False for either of them.
    """

    values: tuple[object, ...]
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A parameter that cannot be used; ``fix`` says what to do instead."""

    fix: str


Rule = Used | OnlyAt | Refused

CLASSIFIER_LOSSES: Final = (
    "Logloss",
    "CrossEntropy",
    "MultiClass",
    "MultiClassOneVsAll",
    "Focal",
    "MultiLogloss",
    "MultiCrossEntropy",
)
REGRESSOR_LOSSES: Final = (
    "RMSE",
    "MAE",
    "Quantile",
    "MAPE",
    "LogLinQuantile",
    "Poisson",
    "Lq",
    "Expectile",
    "Huber",
    "LogCosh",
    "Tweedie",
    "MultiQuantile",
    "RMSEWithUncertainty",
    "MultiRMSE",
    "MultiRMSEWithMissingValues",
    "SurvivalAft",
    "Cox",
)

#: Those of several labels a row.
LABELS_LOSSES: Final = ("MultiRMSE", "MultiRMSEWithMissingValues", "MultiLogloss", "MultiCrossEntropy", "SurvivalAft")
RANKER_LOSSES: Final = ("YetiRank", "QueryRMSE", "QuerySoftMax", "PairLogit", "LambdaMart")

#: How errors write the eval set of a ranker.
EVAL_SET_OF_GROUPS: Final = 'eval_set={"X": X_val, "y": y_val, "group_id": group_val}'

#: alias → CatBoost's canonical name (core.py, _process_synonyms). ``n_jobs`` is scikit-learn's word for thread_count.
ALIASES: Final[dict[str, str]] = {
    "eta": "learning_rate",
    "max_bin": "border_count",
    "max_depth": "depth",
    "colsample_bylevel": "rsm",
    "random_state": "random_seed",
    "reg_lambda": "l2_leaf_reg",
    "n_estimators": "iterations",
    "num_boost_round": "iterations",
    "num_trees": "iterations",
    "early_stopping_rounds": "od_wait",
    "custom_loss": "custom_metric",
    "num_leaves": "max_leaves",
    "min_child_samples": "min_data_in_leaf",
    "objective": "loss_function",
    "n_jobs": "thread_count",
}


def names_of(parameter: str) -> tuple[str, ...]:
    """Every name under which a parameter may be given, CatBoost's own first."""
    return parameter, *(alias for alias, name in ALIASES.items() if name == parameter)


def names_in(given: Collection[str], *parameters: str) -> list[str]:
    """Names in ``given`` that are of these parameters."""
    return [name for parameter in parameters for name in names_of(parameter) if name in given]


#: Parameters by which an eval set decides when training stops.
STOPS: Final = ("od_wait", "od_type", "od_pval")
#: Parameters of CatBoostClassifier that CatBoostRegressor does not have.
CLASSIFIER_ONLY: Final = frozenset(
    {"class_weights", "auto_class_weights", "scale_pos_weight", "class_names", "classes_count"}
)

_KINDS_OF_CTR = "kinds Borders, Buckets, Counter; priors over 1"
_NO_TEXT = (
    'Set aggregate="models", which takes text and embedding columns; or turn them into numbers, or drop the column.'
)
_NO_GPU = 'It is about CatBoost\'s own GPU trainer, which aggregate="models" uses; leave it out with histograms.'
_NO_ORDERED = "Ordered boosting is not trained on histograms; use 'Plain', or set aggregate=\"models\"."
_NO_PENALTY = "Rows are not asked what they cost; leave it out, or use first_feature_use_penalties."
_NO_LANGEVIN = "Langevin boosting is not trained here."

TABLE: Final[dict[str, Rule]] = {
    # the trees
    "iterations": Used("int", low=1, note="number of trees"),
    "learning_rate": Used("float", low=0, above_low=True, note="left out: CatBoost's own automatic rate"),
    "depth": Used("int", low=1, high=16, note="up to 15 with grow_policy='Depthwise'"),
    "l2_leaf_reg": Used("float", low=0),
    "random_strength": Used("float", low=0),
    "rsm": Used("float", low=0, high=1, above_low=True),
    "random_seed": Used("int", low=0, high=2**63 - 1, note="draws are other ones than CatBoost's"),
    "score_function": Used("choice", choices=("Cosine", "L2")),
    "leaf_estimation_method": Used("choice", choices=("Newton", "Gradient", "Exact")),
    "leaf_estimation_iterations": Used("int", low=1),
    "leaf_estimation_backtracking": Used("choice", choices=("AnyImprovement", "No")),
    "boost_from_average": Used("bool"),
    "bootstrap_type": Used("choice", choices=("No", "Bernoulli", "Bayesian", "MVS")),
    "subsample": Used("float", low=0, high=1, above_low=True),
    "bagging_temperature": Used("float", low=0),
    "mvs_reg": Used("float", low=0),
    "grow_policy": Used("choice", choices=("SymmetricTree", "Depthwise", "Lossguide")),
    "max_leaves": Used("int", low=1, high=65536, note="of grow_policy='Lossguide', up to 32768"),
    "min_data_in_leaf": Used("float", low=0, note="no effect on symmetric trees, as in CatBoost"),
    "boosting_type": OnlyAt(
        ("Plain",),
        "boosting is plain",
        _NO_ORDERED,
    ),
    "approx_on_full_history": OnlyAt(
        (False,), "it is about ordered boosting", "It needs ordered boosting; leave it out."
    ),
    "fold_len_multiplier": OnlyAt((), "no effect with boosting_type='Plain'"),
    "fold_permutation_block": OnlyAt(
        (0, 1), "rows are permuted one by one", "Rows are permuted one by one; leave it out."
    ),
    "permutation_count": Used("int", low=1, note="for statistics of categories; draws are other ones than CatBoost's"),
    "has_time": Used("bool", note="rows keep their order, for statistics of categories"),
    "sampling_frequency": OnlyAt(
        ("PerTree",), "rows are drawn once a tree", "Rows are drawn once a tree; leave it out."
    ),
    "sampling_unit": OnlyAt(("Object",), "rows are drawn one by one", "Rows are drawn one by one; leave it out."),
    "random_score_type": OnlyAt(
        ("NormalWithModelSizeDecrease",), "the noise of scores is this one", "Leave it out, or set random_strength=0."
    ),
    "model_shrink_rate": Used("float", low=0, note="without baseline and init_model"),
    "model_shrink_mode": Used("choice", choices=MODES, note="of model_shrink_rate"),
    "langevin": OnlyAt((False,), "no noise is added to gradients", _NO_LANGEVIN),
    "diffusion_temperature": Refused(_NO_LANGEVIN),
    "posterior_sampling": OnlyAt((False,), "no noise is added to gradients", _NO_LANGEVIN),
    "monotone_constraints": Used(
        "constraints of columns",
        note="model_shrink_rate, left out, is then 0.01 (Decreasing: 0.2); not with exact leaves, LogCosh's default, "
        "and with symmetric trees alone",
    ),
    "feature_weights": Used("numbers of columns", note="a column that a statistic has twice counts twice"),
    "first_feature_use_penalties": Used("numbers of columns"),
    "per_object_feature_penalties": OnlyAt(((),), "there are none", _NO_PENALTY),
    "penalties_coefficient": Used("float", low=0),
    "dev_score_calc_obj_block_size": OnlyAt((), "no effect on the model: it is about CatBoost's own loops"),
    "dev_efb_max_buckets": OnlyAt((), "no effect on the model: features are not bundled"),
    "sparse_features_conflict_fraction": OnlyAt(
        (0,), "features are not bundled", "Features are never bundled; leave it out."
    ),
    # the borders
    "border_count": Used("int", low=1, high=65535),
    "feature_border_type": Used(
        "choice",
        choices=(
            "GreedyLogSum",
            "Median",
            "Uniform",
            "UniformAndQuantiles",
            "MinEntropy",
            "MaxLogSum",
            "GreedyMinEntropy",
        ),
    ),
    "nan_mode": Used("choice", choices=("Min", "Max", "Forbidden")),
    "per_float_feature_quantization": Used("cuts of columns", note="by position of the column, as CatBoost's"),
    "input_borders": Used("path", note="of a file in CatBoost's form (`Pool.save_quantization_borders`)"),
    "output_borders": Refused("Borders are kept in the model; read them with model_.get_borders()."),
    "ignored_features": Used("columns", note="they stay columns of the model"),
    "fixed_binary_splits": OnlyAt(((),), "there are none", _NO_GPU),
    # the loss, the metrics, the classes
    "loss_function": Used(
        "loss",
        note="RMSE for the regressor; the classifier: Logloss for two classes, else MultiClass; the ranker: YetiRank",
    ),
    "eval_metric": Used("metric", note="left out: the loss"),
    "custom_metric": Used("metrics"),
    "metric_period": Used("int", low=1),
    "class_weights": Used("weights", note="a dictionary by label makes its order the order of the classes"),
    "auto_class_weights": Used("choice", choices=("None", "Balanced", "SqrtBalanced")),
    "scale_pos_weight": Used("float", low=0),
    "allow_const_label": Used("bool"),
    "class_names": Refused(
        "Classes are found in the data; their order and weights can be set with class_weights={label: weight}."
    ),
    "classes_count": Refused("Classes are counted in the data."),
    "target_border": Refused("Turn y into two classes yourself, for example y > border."),
    # when to stop
    "od_type": Used("choice", choices=("None", "Iter", "IncToDec")),
    "od_wait": Used("int", low=1),
    "od_pval": Used("float", low=0),
    "use_best_model": Used("bool", note="left out: true with an eval set whose labels differ"),
    "best_model_min_trees": Used("int", low=0),
    "eval_fraction": OnlyAt((0,), "no rows are set apart", "Give it to fit: fit(X, y, eval_fraction=...)."),
    # categorical, text and embedding features
    "cat_features": Used("columns", note="left out: the columns of categories and of strings, by their types"),
    "text_features": OnlyAt(((),), "histograms take numbers alone", _NO_TEXT),
    "embedding_features": OnlyAt(((),), "histograms take numbers alone", _NO_TEXT),
    "tokenizers": OnlyAt(((),), "there are none", _NO_TEXT),
    "dictionaries": OnlyAt(((),), "there are none", _NO_TEXT),
    "feature_calcers": OnlyAt(((),), "there are none", _NO_TEXT),
    "text_processing": OnlyAt(((),), "there is none", _NO_TEXT),
    "model_size_reg": Used("float", low=0),
    "one_hot_max_size": Used("int", low=0, high=255, note='ranker: 10; up to 65535 with `aggregate="models"`'),
    "max_ctr_complexity": Used("int", low=0, high=15),
    "ctr_leaf_count_limit": Used("int", low=1),
    "store_all_simple_ctr": Used("bool"),
    "counter_calc_method": Used("choice", choices=("SkipTest", "Full")),
    "simple_ctr": Used("statistics", note=_KINDS_OF_CTR),
    "combinations_ctr": Used("statistics", note=_KINDS_OF_CTR),
    "per_feature_ctr": Used("statistics of columns", note=_KINDS_OF_CTR),
    "ctr_description": Used("statistics", note="simple_ctr and combinations_ctr, where they are left out"),
    "ctr_target_border_count": Used("int", low=1, high=255, note="several classes: one less than there are"),
    "ctr_history_unit": OnlyAt(
        ("Sample",), "rows come one by one", "It is about CatBoost's GPU trainer; leave it out."
    ),
    "final_ctr_computation_mode": OnlyAt(
        ("Default",), "models have their statistics", "Without its statistics a model predicts nothing; leave it out."
    ),
    # where it runs, what it says, what it writes
    "task_type": Used(
        "choice",
        choices=("CPU", "GPU", "auto"),
        note="defaults are the CPU's on a GPU too; auto: where there is one",
    ),
    "devices": Used("devices", note="which GPUs may be used; left out: all"),
    "device_config": Refused(_NO_GPU),
    "gpu_ram_part": Refused(_NO_GPU),
    "pinned_memory_size": Refused(_NO_GPU),
    "gpu_cat_features_storage": Refused(_NO_GPU),
    "data_partition": Refused(_NO_GPU),
    "thread_count": Used("threads", note="threads of each worker; −1 or left out: all that Dask gave it"),
    "used_ram_limit": Refused("Set the memory limit of the Dask workers."),
    "verbose": Used("verbose", note="about progress only: never changes the model"),
    "silent": Used("bool", note="about progress only: never changes the model"),
    "logging_level": Used(
        "choice", choices=("Silent", "Verbose", "Info", "Debug"), note="about progress only: never changes the model"
    ),
    "name": OnlyAt((), "no effect on the model: a word for CatBoost's own log files"),
    "train_dir": Used("place", note="with save_snapshot: nothing but snapshots goes there; left out: catboost_info"),
    "allow_writing_files": OnlyAt(
        (False,), "no files are written", "No files are written while training; leave it out."
    ),
    "save_snapshot": Used("bool", note="what is read and written is gbdist's own: docs/reliability.md"),
    "snapshot_file": Used(
        "place", note="with save_snapshot: in train_dir unless absolute; left out: experiment.cbsnapshot"
    ),
    "snapshot_interval": Used("int", low=0, note="with save_snapshot: seconds; left out: 600"),
    "metadata": Refused("Write it into the model after fit: model_.get_metadata()[key] = value."),
    "callback": Refused("Give it to fit: fit(X, y, callbacks=[...])."),
}
