"""Every parameter of a network's estimator as data, and the settings of a fit: what was given, and else what the preset says."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.networks import rules
from gbdist.estimators.networks.presets import PRESETS, said_by
from gbdist.estimators.networks.rules import AsTrees, Checked, Choice, Number, Rule
from gbdist.estimators.parameters.table import Used
from gbdist.neural.network.spec import ACTIVATIONS, NUMERIC_EMBEDDINGS
from gbdist.neural.training.params import COMPRESSIONS, PRECISIONS, SCHEDULES, SOLVERS, STRATEGIES, StrategyParams
from gbdist.quantize.scales import SCALINGS

_TRUTH = AsTrees(Used("bool"))
_SHARE = Number(0.0, 1.0, below=True)
_POSITIVE = Number(0.0, above=True)
_NO_LBFGS = "Every step of lbfgs needs all rows; use 'adam' or 'sgd'."

TABLE: Final[dict[str, Rule]] = {
    # scikit-learn's
    "hidden_layer_sizes": Checked("units of each hidden layer, integers of at least 1", rules.sizes),
    "activation": Choice(ACTIVATIONS),
    "solver": Choice(SOLVERS, (("lbfgs", _NO_LBFGS),)),
    "alpha": Number(0.0),
    "batch_size": Checked("an integer of at least 1, or 'auto'", rules.batch),
    "learning_rate": Choice(SCHEDULES),
    "learning_rate_init": _POSITIVE,
    "power_t": Number(0.0),
    "max_iter": Number(1, whole=True),
    "shuffle": _TRUTH,
    "random_state": Checked("an integer from 0 to 2**32 - 1, or a numpy.random.RandomState", rules.seed),
    "tol": Number(0.0),
    "verbose": Checked("True, False, or every how many epochs to tell", rules.verbose),
    "warm_start": _TRUTH,
    "momentum": Number(0.0, 1.0),
    "nesterovs_momentum": _TRUTH,
    "early_stopping": _TRUTH,
    "validation_fraction": Number(0.0, 1.0, above=True, below=True),
    "beta_1": _SHARE,
    "beta_2": _SHARE,
    "epsilon": _POSITIVE,
    "n_iter_no_change": Number(1, whole=True, infinite=True),
    # what makes networks good on tables
    "preset": Choice(tuple(PRESETS)),
    "scaling": Choice(SCALINGS),
    "numeric_embedding": Choice(NUMERIC_EMBEDDINGS),
    "embedding_size": Number(1, whole=True),
    "frequencies": Number(1, whole=True),
    "frequency_scale": _POSITIVE,
    "cat_features": AsTrees(Used("columns")),
    "cat_nan": Checked("the text that stands for missing values in categorical columns", rules.text),
    "dropout": _SHARE,
    "residual": _TRUTH,
    "label_smoothing": _SHARE,
    "warm_up": Number(0.0),
    "decoupled": _TRUTH,
    "eval_metric": Checked("the name of a metric, or a list of names", rules.metrics),
    "class_weight": Checked("'balanced', or weights of at least 0 in a dictionary {label: weight}", rules.class_weight),
    # how and where it is computed
    "precision": Choice(PRECISIONS),
    "task_type": Choice(("CPU", "GPU", "auto")),
    "devices": AsTrees(Used("devices")),
    "strategy": Choice(STRATEGIES),
    "sync_period": Number(1, whole=True),
    "sync_groups": Number(1, whole=True),
    "staleness": Number(0, whole=True),
    "model_ranks": Number(0, whole=True),
    "micro_batches": Number(1, whole=True),
    "compression": Choice(COMPRESSIONS),
    "kept_share": Number(0.0, 1.0, above=True),
    "save_snapshot": _TRUTH,
    "snapshot_file": AsTrees(Used("place")),
    "snapshot_interval": AsTrees(Used("int", low=0)),
}

#: Names that other libraries have, and what to do about them.
_ELSEWHERE: Final = {
    "max_fun": "It is about lbfgs, which is not trained here; max_iter counts epochs.",
    "loss": "Classifiers are trained on the log loss, regressors on the squared error; leave it out.",
    "loss_function": "Classifiers are trained on the log loss, regressors on the squared error; leave it out.",
    "iterations": "Epochs are max_iter.",
    "n_estimators": "Epochs are max_iter.",
    "epochs": "Epochs are max_iter.",
    "max_epochs": "Epochs are max_iter.",
    "random_seed": "The seed is random_state.",
    "early_stopping_rounds": "Set early_stopping=True and n_iter_no_change.",
    "weight_decay": "Set alpha, with decoupled=True for AdamW's.",
    "class_weights": "Set class_weight={label: weight}.",
    "auto_class_weights": 'Set class_weight="balanced".',
    "thread_count": "Every worker uses all threads that Dask gave it.",
    "n_jobs": "Every worker uses all threads that Dask gave it.",
}
#: What a parameter is about, where it is about something that is not always there.
_ABOUT: Final[dict[str, tuple[str, tuple[object, ...]]]] = {
    "embedding_size": ("numeric_embedding", ("periodic", "piecewise")),
    "frequencies": ("numeric_embedding", ("periodic",)),
    "frequency_scale": ("numeric_embedding", ("periodic",)),
    "sync_period": ("strategy", ("local",)),
    "sync_groups": ("strategy", ("local",)),
    "staleness": ("strategy", ("async",)),
    "model_ranks": ("strategy", ("pipeline", "tensor")),
    "micro_batches": ("strategy", ("pipeline",)),
    "kept_share": ("compression", ("top-k",)),
    "snapshot_file": ("save_snapshot", (True,)),
    "snapshot_interval": ("save_snapshot", (True,)),
}
_OF_CLASSES: Final = ("class_weight", "label_smoothing")


@dataclass(frozen=True, slots=True)
class Settings:
    """All parameters of a fit, checked; ``given`` are the names of those that were given.

    ``verbose``, ``cat_features``, ``eval_metric``, ``class_weight``, ``devices`` and the snapshot's are None where they were not.
    """

    preset: str
    values: Mapping[str, Any]
    given: frozenset[str]

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter; None where neither the user nor the preset says anything."""
        return self.values.get(name)

    def but(self, **values: object) -> "Settings":
        """The same with other values of some parameters."""
        return replace(self, values={**self.values, **values})

    @property
    def strategy(self) -> StrategyParams:
        """How ranks share the work."""
        values = self.values
        return StrategyParams(
            kind=values["strategy"],
            period=values["sync_period"],
            groups=values["sync_groups"],
            staleness=values["staleness"],
            model_ranks=values["model_ranks"],
            micro_batches=values["micro_batches"],
            compression=values["compression"],
            kept_share=values["kept_share"],
        )

    @property
    def schedule(self) -> str:
        """How the learning rate changes: of "invscaling" and "adaptive" adam knows nothing, as in scikit-learn."""
        schedule = str(self["learning_rate"])
        return "constant" if self["solver"] == "adam" and schedule in ("invscaling", "adaptive") else schedule


def check_parameters(given: Mapping[str, object], *, classifier: bool) -> Settings:
    """What was given, and else what the preset says; ParameterError for a name or a value that cannot be used."""
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in TABLE:
            if (name, value) == ("loss", "squared_error") and not classifier:
                continue  # scikit-learn's word for what is done anyway
            raise ParameterError(name, value, "a parameter of the network", _did_you_mean(name))
        if name == "learning_rate" and isinstance(value, int | float):
            raise ParameterError(
                name, value, TABLE[name].expected, f"Set learning_rate_init={value} for the rate itself."
            )
        values[name] = TABLE[name].check(name, value)
    preset = values.pop("preset", "tabular")
    settings = Settings(preset, said_by(preset, classifier=classifier) | values, frozenset(values))
    _refuse_together(settings, given, classifier)
    return settings


def _did_you_mean(name: str) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    near = difflib.get_close_matches(name, TABLE, n=1)
    return f"Did you mean {near[0]}?" if near else "docs/networks.md lists all of them."


def _refuse_together(settings: Settings, given: Mapping[str, object], classifier: bool) -> None:
    """ParameterError for what would do nothing without a word, or cannot be done together."""
    for name, (other, values) in _ABOUT.items():
        if name in settings.given and settings[other] not in values:
            said = " or ".join(f"{other}={value!r}" for value in values)
            raise ParameterError(
                name, given[name], f"it to be left out without {said}", f"Set {said}, or leave it out."
            )
    for name in _OF_CLASSES:
        if name in settings.given and not classifier and settings[name]:
            fix = "Leave it out; weigh rows with fit(sample_weight=...)."
            raise ParameterError(name, given[name], "no classes in regression", fix)
    if settings["warm_up"] > settings["max_iter"]:
        fix = "Both count epochs: lower warm_up, or raise max_iter."
        raise ParameterError("warm_up", settings["warm_up"], f"at most max_iter={settings['max_iter']}", fix)
