"""From CatBoost's metric descriptions to metrics, under the names that CatBoost reports."""

from dataclasses import dataclass, replace

from gbdist.description import Description, name_of, parse_description
from gbdist.metrics.auc import AUC, AUCMu
from gbdist.metrics.base import Metric
from gbdist.metrics.counts import ClassCounts
from gbdist.metrics.losses import BrierScore, LogLoss, MultiClass, MultiClassOneVsAll, PartialLikelihood, Residual
from gbdist.metrics.multi_target import (
    ExactMatch,
    HammingLoss,
    IntervalDistance,
    MeanUncertaintyLoss,
    MultiLogLoss,
    MultiRMSE,
    OfLabel,
)
from gbdist.metrics.pointwise import MeanLoss, MeanQuantileLoss
from gbdist.objectives.multi_target import MULTI_TARGET, MultiTarget
from gbdist.objectives.pointwise import FAMILIES, Pointwise, multi_quantile, rule_of
from gbdist.objectives.survival import survival_aft

_COUNTS = ("Accuracy", "F1", "MCC", "Precision", "Recall", "TotalF1", "ZeroOneLoss")
_BINARY = ("AUC", "BrierScore", "CrossEntropy", "Logloss", *_COUNTS)
_OF_ONE_CLASS = ("F1", "Precision", "Recall")
_USE_WEIGHTS_FIRST = (*_OF_ONE_CLASS, "AUC")
_OF_NUMBERS = ("MAE", "R2", "RMSE", *(name for name in FAMILIES if name not in ("MAE", "Focal")))
_OF_LABELS_NUMBERS = ("MultiRMSE", "MultiRMSEWithMissingValues")
_OF_LABELS = ("Accuracy", "HammingLoss", "MultiCrossEntropy", "MultiLogloss", *_OF_ONE_CLASS)
_SMALLEST_FIRST_BITS, _LARGEST_FIRST_BITS = 8, 14
#: metrics that CatBoost allows beside each loss, as far as they are here
METRICS_OF_LOSS: dict[str, tuple[str, ...]] = {
    **{name: _OF_NUMBERS for name in ("RMSE", *FAMILIES) if name != "Focal"},
    "Focal": (*_BINARY, "Focal"),
    "MultiQuantile": ("MultiQuantile",),
    "Logloss": (*_BINARY, "Focal"),
    "CrossEntropy": _BINARY,
    "MultiClass": ("AUC", "MultiClass", *_COUNTS),
    "MultiClassOneVsAll": ("AUC", "MultiClassOneVsAll", *_COUNTS),
    "RMSEWithUncertainty": ("RMSEWithUncertainty", *_OF_NUMBERS),
    "SurvivalAft": ("SurvivalAft",),
    "Cox": ("Cox", *_OF_NUMBERS),
    **dict.fromkeys(("MultiRMSE", "MultiRMSEWithMissingValues"), _OF_LABELS_NUMBERS),
    **dict.fromkeys(("MultiLogloss", "MultiCrossEntropy"), _OF_LABELS),
}


@dataclass(frozen=True, slots=True)
class _Request:
    """A description with its options resolved; ``n_raw`` values a row, ``n_classes`` classes, or labels a row."""

    given: Description
    use_weights: bool
    n_raw: int
    n_classes: int
    soft_labels: bool

    @property
    def skip_train(self) -> bool:
        default = self.given.metric == "AUC"
        return default if self.given.skip_train is None else self.given.skip_train

    def name(self, *more: str) -> str:
        """CatBoost's name: the options as given, hints left out, ``use_weights`` first or last by metric."""
        given = self.given
        options = [f"{key}={value}" for key, value in given.options if not (given.metric == "AUC" and key == "type")]
        flag = [] if given.use_weights is None else [f"use_weights={str(given.use_weights).lower()}"]
        options = [*flag, *options, *more] if given.metric in _USE_WEIGHTS_FIRST else [*options, *more, *flag]
        return f"{given.metric}:{';'.join(options)}" if options else given.metric


def make_metrics(
    description: str,
    n_classes: int,
    objective_name: str,
    *,
    expand_weights: bool = False,
    parameter: str = "eval_metric",
) -> tuple[Metric, ...]:
    """Metrics that one description stands for: several for ``F1`` of several classes, else one.

    ``expand_weights`` is for a ``custom_metric`` of rows with weights: without ``use_weights`` CatBoost reports it twice,
    with and without them (AUC, which takes no weights by default, once). ``parameter`` is what errors name.

    Raises
    ------
    ParameterError
        For a metric or option that is not here, or that CatBoost does not allow beside the loss.
    """
    given = parse_description(description, parameter)
    allowed = METRICS_OF_LOSS[name_of(objective_name)]
    if given.metric not in allowed:
        expected = f"one of {', '.join(sorted(allowed))} with loss_function={objective_name!r}"
        raise given.refused(expected, "Choose one of these, or compute it from the predictions.")
    if expand_weights and given.use_weights is None and given.metric != "AUC":
        both = (replace(given, use_weights=True), replace(given, use_weights=False))
        return tuple(metric for one in both for metric in _make(one, n_classes, objective_name))
    return _make(given, n_classes, objective_name)


def _make(given: Description, n_classes: int, objective_name: str) -> tuple[Metric, ...]:
    several = objective_name.startswith("MultiClass")
    request = _Request(
        given=given,
        use_weights=given.metric != "AUC" if given.use_weights is None else given.use_weights,
        n_raw=n_classes if several else 1,
        n_classes=n_classes if several else 2,
        soft_labels=objective_name == "CrossEntropy",
    )
    if given.metric == "AUC":
        return _auc(request)
    if objective_name in MULTI_TARGET:
        return _of_labels(replace(request, n_raw=n_classes, n_classes=n_classes))
    if given.metric in _COUNTS:
        return _class_counts(request)
    if given.metric == "MultiQuantile":
        return (_mean_of_quantiles(request),)
    if given.metric == "SurvivalAft":
        survival_aft(given.without_flags, given.parameter)  # which checks the options
        return (IntervalDistance(request.name(), request.use_weights, request.skip_train),)
    if given.metric in FAMILIES and given.metric != "MAE":
        return (_mean_of_rule(request),)
    if given.options:
        key = given.options[0][0]
        raise given.refused("no options but use_weights and hints", f"Leave {key!r} out.")
    return (_mean_loss(request),)


def _mean_loss(request: _Request) -> Metric:
    name, use_weights, skip_train = request.name(), request.use_weights, request.skip_train
    match request.given.metric:
        case "Logloss":
            return LogLoss(name, use_weights, skip_train, binarize=request.soft_labels)
        case "CrossEntropy":
            return LogLoss(name, use_weights, skip_train, binarize=False)
        case "MultiClass":
            return MultiClass(name, use_weights, skip_train)
        case "MultiClassOneVsAll":
            return MultiClassOneVsAll(name, use_weights, skip_train)
        case "RMSEWithUncertainty":
            return MeanUncertaintyLoss(name, use_weights, skip_train)
        case "Cox":
            return PartialLikelihood(name, skip_train)
        case "BrierScore":
            return BrierScore(name, use_weights, skip_train)
    return Residual(name, use_weights, skip_train, kind=request.given.metric)


def _mean_of_rule(request: _Request) -> Metric:
    given = request.given
    loss = Pointwise(given.without_flags, rule_of(given.without_flags, given.parameter))
    name = request.name()
    if given.metric == "Quantile":  # the only one that is told with its defaults
        flag = [] if given.use_weights is None else [f"use_weights={str(given.use_weights).lower()}"]
        delta = [f"delta={loss.rule[2]:g}"] if "delta" in dict(given.options) else []
        name = f"Quantile:{';'.join([*flag, f'alpha={loss.rule[1]:.3g}', *delta])}"
    return MeanLoss(name, request.use_weights, request.skip_train, loss)


def _mean_of_quantiles(request: _Request) -> Metric:
    given = request.given
    loss = multi_quantile(given.without_flags, given.parameter)
    alphas = ",".join(f"{alpha:.3g}" for _, alpha, _ in loss.rules)
    name = request.name()
    for key, value in given.options:
        if key == "alpha":
            name = name.replace(f"alpha={value}", f"alpha={alphas}")
    return MeanQuantileLoss(name, request.use_weights, request.skip_train, loss)


def _class_counts(request: _Request) -> tuple[Metric, ...]:
    given, options = request.given, dict(request.given.options)
    kind, border = given.metric, options.pop("proba_border", None)
    if border is not None and (request.n_raw > 1 or not _is_probability(border)):
        raise given.refused("proba_border between 0 and 1, with two classes", "Leave proba_border out, or correct it.")
    if kind == "Accuracy" and options.pop("type", "Classic") != "Classic":
        raise given.refused("type=Classic", "Leave the type out: PerClass is for several labels a row.")
    if kind == "TotalF1":
        kind = f"TotalF1:{options.pop('average', 'Weighted')}"
        if kind.partition(":")[2] not in ("Weighted", "Macro", "Micro"):
            raise given.refused("average to be Weighted, Macro or Micro", "Correct the average.")
    if options:
        raise given.refused("no such option", f"Leave {next(iter(options))!r} out.")
    metric = ClassCounts(
        name=request.name(),
        use_weights=request.use_weights,
        skip_train=request.skip_train,
        kind=kind,
        n_classes=request.n_classes,
        proba_border=0.5 if border is None else float(border),
    )
    if kind in _OF_ONE_CLASS and request.n_raw > 1:
        return tuple(replace(metric, name=request.name(f"class={k}"), positive=k) for k in range(request.n_classes))
    return (metric,)


def _of_labels(request: _Request) -> tuple[Metric, ...]:
    """Metrics where rows have several labels: of all of them, or one for each label."""
    given, options, kind = request.given, dict(request.given.options), request.given.metric
    if "proba_border" in options:
        raise given.refused("no proba_border with several labels, where CatBoost does not heed it", "Leave it out.")
    of_each = options.pop("type", "Classic")
    if of_each != "Classic" and (kind != "Accuracy" or of_each != "PerClass"):
        raise given.refused("type=Classic or type=PerClass, of Accuracy", "Correct the type, or leave it out.")
    if options:
        raise given.refused("no such option", f"Leave {next(iter(options))!r} out.")
    shared = (request.use_weights, request.skip_train)
    if kind in _OF_LABELS_NUMBERS:
        return (MultiRMSE(request.name(), *shared, MultiTarget(kind, request.n_classes)),)
    if kind in MULTI_TARGET:
        return (MultiLogLoss(request.name(), *shared),)
    if kind == "HammingLoss":
        return (HammingLoss(request.name(), *shared),)
    if kind == "Accuracy" and of_each == "Classic":
        return (ExactMatch(request.name(), *shared),)
    return tuple(
        OfLabel(ClassCounts(request.name(f"class={k}"), *shared, kind, 2), k) for k in range(request.n_classes)
    )


def _is_probability(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False


def _auc(request: _Request) -> tuple[Metric, ...]:
    given, options = request.given, dict(request.given.options)
    several = request.n_raw > 1
    kind = options.pop("type", "Mu" if several else "Classic")
    if options:
        raise given.refused("no options but type, use_weights and hints", f"Leave {next(iter(options))!r} out.")
    # Ranking is Classic where labels are 0 and 1; with probabilities it orders labels against each other.
    types = ("Mu", "OneVsAll") if several else ("Classic",) if request.soft_labels else ("Classic", "Ranking")
    if kind not in types:
        raise given.refused(f"type to be {' or '.join(types)} here", "Correct the type, or leave it out.")
    use_weights, skip_train = request.use_weights, request.skip_train
    if kind == "Mu":
        pairs = request.n_classes * (request.n_classes - 1) // 2
        name = request.name("type=Mu")
        return (AUCMu(name, use_weights, skip_train, request.n_classes, _first_bits(pairs)),)
    if kind == "OneVsAll":
        bits = _first_bits(request.n_classes)
        return tuple(
            AUC(request.name(f"class={k}"), use_weights, skip_train, k, bits) for k in range(request.n_classes)
        )
    shown = [f"type={kind}"] if dict(given.options).get("type") else []
    return (AUC(request.name(*shown), use_weights, skip_train),)


def _first_bits(curves: int) -> int:
    """Fewer cells a curve where there are many, so that a round stays near 256 KiB."""
    return max(_SMALLEST_FIRST_BITS, _LARGEST_FIRST_BITS - (curves - 1).bit_length())
