"""What can be asked of a network about rows, and how a network reads them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, log_expit, log_softmax, softmax

from gbdist.estimators.networks.inputs import read_inputs
from gbdist.estimators.networks.model import NetworkModel
from gbdist.estimators.prediction.answers import Family
from gbdist.estimators.prediction.features import Expected, UnbinnedFeature
from gbdist.estimators.prediction.questions import LabelFlags, Labels, column_names_of
from gbdist.neural.training.threads import blas_threads
from gbdist.quantize.unbinned import HASHED

#: Kinds of ``NetworkValues``.
RAW, PROBABILITY, LOG_PROBABILITY = "raw", "probability", "log probability"


@dataclass(frozen=True, eq=False)
class Table:
    """Some rows as the user has them, and the number of their partition, for messages."""

    rows: Any
    expected: Expected
    number: int

    def outputs(self, model: NetworkModel, threads: int) -> NDArray[np.float64]:
        """Raw outputs, float64 [n_rows, n_outputs]; ``threads`` −1 for as many as matrix products use anyway."""
        inputs = read_inputs(self.rows, self.expected, model.inputs, self.number)
        if threads < 1:
            return model.outputs(*inputs)
        with blas_threads(threads):
            return model.outputs(*inputs)


@dataclass(frozen=True)
class NetworkValues:
    """Raw outputs, probabilities or their logarithms; ``several`` labels a row have a probability each."""

    kind: str
    names: tuple[str, ...] = ()
    several: bool = False

    def ask(self, model: NetworkModel, table: Table, threads: int) -> NDArray[np.float64]:
        """float64 [n_rows] for one raw output, else [n_rows, n_values]."""
        raw = table.outputs(model, threads)
        if self.kind == RAW:
            return raw[:, 0] if raw.shape[1] == 1 else raw
        logarithm = self.kind == LOG_PROBABILITY
        if model.spec.output == "softmax":
            return np.asarray((log_softmax if logarithm else softmax)(raw, axis=1))
        function = log_expit if logarithm else expit
        # With one output the first class is the absence of the second one.
        return np.asarray(function(raw if self.several else np.hstack([-raw, raw])))

    def column_names(self, tail: tuple[int, ...]) -> list[str]:
        """Class names, else numbers."""
        return column_names_of(self.names, tail[-1])


@dataclass(frozen=True)
class NetworkLabels(Labels):
    """Labels as they went into ``fit``."""

    def ask(self, model: NetworkModel, table: Table, threads: int) -> NDArray[Any]:
        """Labels [n_rows] of the dtype of ``classes``."""
        raw = table.outputs(model, threads)
        return self.of_raw(raw[:, 0] if raw.shape[1] == 1 else raw)


@dataclass(frozen=True)
class NetworkFlags(LabelFlags):
    """Which of several labels a row has."""

    def ask(self, model: NetworkModel, table: Table, threads: int) -> NDArray[Any]:
        """1 or 0, int64 [n_rows, n_labels]."""
        return self.of_raw(table.outputs(model, threads))


def expected_of(model: NetworkModel, estimator: str, cat_nan: str | None) -> Expected:
    """What a network expects of X; ``cat_nan`` is what stands for missing categories now, None: what did in training."""
    unbinned = tuple(UnbinnedFeature(position, HASHED) for position in model.hashed)
    missing = model.cat_nan if cat_nan is None else cat_nan
    return Expected(len(model.names), model.labels, estimator, model.names, unbinned, missing)


def _probe(expected: Expected) -> Table:
    categorical = {each.position for each in expected.unbinned}
    row = {at: ["none"] if at in categorical else [0.0] for at in range(expected.n_features)}
    return Table(pd.DataFrame(row), expected, 0)


NETWORK = Family("network", NetworkModel.to_bytes, NetworkModel.from_bytes, Table, _probe)
