"""Sums of the metrics that are means of a loss, on a card; the twins of ``cpu_metrics``, with the same sums."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.kernels.cpu_metrics import LOW_UNITS, MAE_DELTA
from gbdist.kernels.cuda_compile import (
    add_over_block,
    blocks_for,
    card,
    device_function,
    given,
    kernel,
    launch,
    on_device,
    rint,
    times,
    weights_or,
)
from gbdist.kernels.cuda_elementary import decay, log, sigmoid, softplus_of_decay
from gbdist.kernels.cuda_losses import softmax_parts, target_of, weight_of


@device_function
def _rest(value: Any, whole: Any) -> Any:
    """What rounding left of a value, in finer units."""
    return rint((value - np.float64(whole)) * LOW_UNITS)


@kernel
def _add_residual_sums(
    label: Any, weight: Any, weighted: Any, prediction: Any, scale: Any, column: Any, sums: Any
) -> None:
    high, low = np.int64(0), np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        y, w = np.float64(label[i]), weight_of(weight, weighted, i)
        d = y - prediction[i]
        value = w * scale
        if column == 0:
            beyond = abs(d) - MAE_DELTA
            value = (beyond if beyond > 0.0 else 0.0) * w * scale
        elif column == 1:
            value = d * d * w * scale
        elif column == 3:
            value = y * w * scale
        elif column == 4:
            value = y * y * w * scale
        whole = rint(value)
        high += whole
        low += _rest(value, whole)
    add_over_block(high, sums, (column, 0))
    add_over_block(low, sums, (column, 1))


def add_residual_sums(
    label: Any, weight: Any, prediction: Any, scales: NDArray[np.float64], sums: NDArray[np.int64]
) -> None:
    """See ``reference_metrics.add_residual_sums``."""
    some = weights_or(weight, label)
    with on_device(sums) as there:
        for column, scale in enumerate(scales.tolist()):
            launch(
                _add_residual_sums, blocks_for(label.shape[0]), label, *some, prediction, scale, column, there
            )  # fmt: skip


@kernel
def _add_logistic_sums(
    label: Any, weight: Any, weighted: Any, prediction: Any, positive: Any, scales: Any, sums: Any
) -> None:
    loss, total = np.int64(0), np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        a, w = prediction[i], weight_of(weight, weighted, i)
        loss += rint((softplus_of_decay(a, decay(a)) - times(target_of(label[i], positive), a)) * w * scales[0])
        total += rint(w * scales[1])
    add_over_block(loss, sums, 0)
    add_over_block(total, sums, 1)


def add_logistic_sums(
    label: Any, weight: Any, prediction: Any, positive: int, scales: NDArray[np.float64], sums: NDArray[np.int64]
) -> None:
    """See ``reference_metrics.add_logistic_sums``."""
    some = weights_or(weight, label)
    with on_device(sums) as there:
        launch(_add_logistic_sums, blocks_for(label.shape[0]), label, *some, prediction, positive, _two(scales), there)


@kernel
def _add_brier_sums(label: Any, weight: Any, weighted: Any, prediction: Any, scales: Any, sums: Any) -> None:
    squared, total = np.int64(0), np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        w = weight_of(weight, weighted, i)
        d = np.float64(label[i]) - sigmoid(prediction[i])
        squared += rint(d * d * w * scales[0])
        total += rint(w * scales[1])
    add_over_block(squared, sums, 0)
    add_over_block(total, sums, 1)


def add_brier_sums(
    label: Any, weight: Any, prediction: Any, scales: NDArray[np.float64], sums: NDArray[np.int64]
) -> None:
    """See ``reference_metrics.add_brier_sums``."""
    some = weights_or(weight, label)
    with on_device(sums) as there:
        launch(_add_brier_sums, blocks_for(label.shape[0]), label, *some, prediction, _two(scales), there)


@kernel
def _add_softmax_sums(
    label: Any, weight: Any, weighted: Any, predictions: Any, shift: Any, scales: Any, sums: Any
) -> None:
    loss, total = np.int64(0), np.int64(0)
    for i in range(card.grid(1), label.shape[0], card.gridsize(1)):
        w = weight_of(weight, weighted, i)
        top, exps = softmax_parts(predictions, shift, 0, i)
        own = predictions[np.int64(label[i]), i]
        loss += rint(((log(exps) + top) - own) * w * scales[0])
        total += rint(w * scales[1])
    add_over_block(loss, sums, 0)
    add_over_block(total, sums, 1)


def add_softmax_sums(
    label: Any, weight: Any, predictions: Any, scales: NDArray[np.float64], sums: NDArray[np.int64]
) -> None:
    """See ``reference_metrics.add_softmax_sums``."""
    unmoved = given("unmoved", np.zeros((1, predictions.shape[0])), np.float64)
    some = weights_or(weight, label)
    with on_device(sums) as there:
        launch(_add_softmax_sums, blocks_for(label.shape[0]), label, *some, predictions, unmoved, _two(scales), there)


def _two(scales: NDArray[np.float64]) -> tuple[float, float]:
    loss, weight = scales.tolist()
    return loss, weight
