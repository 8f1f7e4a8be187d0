"""A network as a fitted scikit-learn Pipeline: transformers with its columns' statistics, an MLP with its parameters."""

import warnings
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, LabelBinarizer, QuantileTransformer, StandardScaler

from gbdist.errors import ModelError
from gbdist.estimators.fitted import label_array
from gbdist.estimators.networks.model import NetworkModel
from gbdist.neural.network.spec import NetworkSpec
from gbdist.quantize.scales import ColumnScale

#: Parameters that scikit-learn's MLP has too, beside layers and activation; they matter to who trains it on.
_SHARED = (
    "solver",
    "alpha",
    "batch_size",
    "learning_rate_init",
    "power_t",
    "max_iter",
    "shuffle",
    "random_state",
    "tol",
    "warm_start",
    "momentum",
    "nesterovs_momentum",
    "early_stopping",
    "validation_fraction",
    "beta_1",
    "beta_2",
    "epsilon",
    "n_iter_no_change",
)
_FIX = 'Train with preset="sklearn", or with that switched off.'


def as_sklearn(model: NetworkModel, *, classifier: bool, settings: dict[str, Any]) -> Pipeline:
    """The pipeline; ModelError names the part of the network that scikit-learn has not. ``settings`` are what the user gave."""
    part = _missing_part(model.spec)
    if part:
        raise ModelError(f"scikit-learn has no {part}", _FIX)
    scaling, order = _scaling(model.scales)
    mlp = (_classifier if classifier else _regressor)(model, settings)
    _take_parameters(mlp, model, order)
    # Numbers are rounded as they were for training: a value may equal many others, whose place among quantiles it must share.
    steps: list[tuple[str, Any]] = [
        ("round", FunctionTransformer(np.asarray, kw_args={"dtype": np.float32})),
        ("widen", FunctionTransformer(np.asarray, kw_args={"dtype": np.float64})),
        *scaling,
        ("mlp", mlp),
    ]
    pipeline = Pipeline(steps)
    pipeline[0].fit(_row(model))
    pipeline[1].fit(np.zeros((1, len(model.names))))
    return pipeline


def _missing_part(spec: NetworkSpec) -> str:
    """What scikit-learn cannot compute, in words; "" where there is nothing."""
    if spec.categories:
        # A table and a dense layer are a matrix of one-hot columns, but the model has hashes of categories and not their names.
        return "embedding of categorical columns"
    if spec.numeric_embedding != "none":
        return f"{spec.numeric_embedding} embedding of numbers (numeric_embedding)"
    if spec.activation == "silu":
        return "activation 'silu'"
    if spec.residual and any(before == width for before, width in pairwise(spec.hidden)):
        return "bridge around a hidden layer (residual)"
    return ""


def _row(model: NetworkModel) -> Any:
    """One row of zeros with the columns' names, where they have any."""
    zeros = np.zeros((1, len(model.names)))
    if model.labels is None:
        return zeros
    import pandas as pd

    return pd.DataFrame(zeros, columns=list(model.labels))


def _scaling(scales: tuple[ColumnScale, ...]) -> tuple[list[tuple[str, Any]], list[int]]:
    """Steps that fill and scale, and the order in which columns come out of them."""
    everywhere = list(range(len(scales)))
    steps: list[tuple[str, Any]] = []
    fills = np.array([[each.fill for each in scales]])
    if not np.isnan(fills).any():
        steps.append(("fill", SimpleImputer(strategy="median").fit(fills)))
    if all(each.quantiles.size == 0 and (each.center, each.scale) == (0.0, 1.0) for each in scales):
        return steps, everywhere
    by_count = sorted(everywhere, key=lambda at: scales[at].quantiles.size)
    groups = [list(group) for _, group in groupby(by_count, key=lambda at: scales[at].quantiles.size)]
    fitted = [_transformer([scales[at] for at in group]) for group in groups]
    if len(groups) == 1:
        return [*steps, ("scale", fitted[0])], everywhere
    return [*steps, ("scale", _side_by_side(fitted, groups))], by_count


def _side_by_side(fitted: list[Any], groups: list[list[int]]) -> ColumnTransformer:
    """Each transformer on its columns."""
    blank = [
        (str(number), type(each)(), group) for number, (each, group) in enumerate(zip(fitted, groups, strict=True))
    ]
    columns = ColumnTransformer(blank)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is one row; what is learnt of it is replaced
        columns.fit(np.zeros((1, sum(map(len, groups)))))
    for number, each in enumerate(fitted):
        columns.named_transformers_[str(number)].__dict__.update(each.__dict__)
    columns.transformers = [(name, each, group) for (name, _, group), each in zip(blank, fitted, strict=True)]
    return columns


def _transformer(scales: list[ColumnScale]) -> QuantileTransformer | StandardScaler:
    """One that does to each column what its scale does; all have as many quantiles, or none."""
    count = scales[0].quantiles.size
    if count:
        quantile = QuantileTransformer(n_quantiles=count, output_distribution="normal")
        quantile.n_features_in_ = len(scales)
        quantile.n_quantiles_ = count
        quantile.references_ = np.linspace(0.0, 1.0, count)
        quantile.quantiles_ = np.stack([each.quantiles for each in scales], axis=1)
        return quantile
    standard = StandardScaler()
    standard.n_features_in_ = len(scales)
    standard.mean_ = np.array([each.center for each in scales])
    standard.scale_ = np.array([each.scale for each in scales])
    standard.var_ = standard.scale_**2
    standard.n_samples_seen_ = 1
    return standard


def _parameters(model: NetworkModel, settings: dict[str, Any]) -> dict[str, Any]:
    given = {name: settings[name] for name in _SHARED if name in settings}
    return {"hidden_layer_sizes": model.spec.hidden, "activation": model.spec.activation, **given}


def _classifier(model: NetworkModel, settings: dict[str, Any]) -> MLPClassifier:
    mlp = MLPClassifier(**_parameters(model, settings))
    mlp.classes_ = label_array(model.classes or ())
    mlp._label_binarizer = LabelBinarizer()
    several = model.spec.output == "logistic" and model.spec.n_outputs > 1
    mlp._label_binarizer.fit(np.array([[0], [1]]).repeat(model.spec.n_outputs, axis=1) if several else mlp.classes_)
    return mlp


def _regressor(model: NetworkModel, settings: dict[str, Any]) -> MLPRegressor:
    return MLPRegressor(**_parameters(model, settings))


def _take_parameters(mlp: Any, model: NetworkModel, order: list[int]) -> None:
    """Everything that a fit would have left; rows of the first matrix in the order of the columns."""
    record = model.record
    coefs = model.coefs
    mlp.coefs_ = [coefs[0][order], *coefs[1:]]
    mlp.intercepts_ = model.intercepts
    mlp.n_features_in_ = len(order)
    mlp.n_layers_ = len(model.spec.hidden) + 2
    mlp.n_outputs_ = model.spec.n_outputs
    mlp.out_activation_ = model.spec.output
    mlp.loss_curve_ = list(record.loss_curve)
    mlp.loss_ = record.loss_curve[-1] if record.loss_curve else float("nan")
    mlp.best_loss_ = min(record.loss_curve, default=float("nan"))
    mlp.n_iter_ = record.epochs
    mlp.t_ = record.rows_seen
    mlp.validation_scores_ = mlp.best_validation_score_ = None
    mlp._no_improvement_count = 0
