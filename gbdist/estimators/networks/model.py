"""A fitted network with all that it needs to predict from raw columns, and its file."""

import hashlib
import json
import zlib
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gbdist.errors import ModelError
from gbdist.estimators.networks.inputs import InputColumns
from gbdist.estimators.networks.targets import TargetScale, in_own_units
from gbdist.estimators.networks.weights import SmallWeights
from gbdist.models.history import LEARN, History
from gbdist.neural.network.blocks import Batch
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.network.vocabulary import Vocabulary
from gbdist.neural.training.state import Vector
from gbdist.quantize.scales import ColumnScale
from gbdist.whole_file import whole_file

#: First bytes of a file. A change of what follows changes them, and ``from_bytes`` goes on reading the old ones.
_MAGIC: Final = b"GBDMLP01"
#: Those of a file with rounded weights: its first array is four, and what follows the checksum is compressed by zlib.
_MAGIC_SMALL: Final = b"GBDMLP02"
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class NetworkRecord:
    """How a network was trained.

    Parameters
    ----------
    loss_curve : tuple of float
        Mean loss of each epoch, penalty included, in the unit that targets were trained in.
    history : metrics of the eval sets after each epoch
    best_epoch : int
        The epoch whose parameters the model has, from 0; −1 where they are those of the last one.
    best : float
        What decided had this value then.
    epochs : int
        Of the last fit, scikit-learn's ``n_iter_``; ``loss_curve`` has those of fits before that it went on from, too.
    rows_seen : int
        Rows of all epochs together, scikit-learn's ``t_``.
    stopped : str
        "iterations", "converged", "early_stopping" or "callback".
    """

    loss_curve: tuple[float, ...] = ()
    history: History = field(default_factory=dict)
    best_epoch: int = -1
    best: float = float("nan")
    epochs: int = 0
    rows_seen: int = 0
    stopped: str = ""

    @property
    def evals_result(self) -> History:
        """Values of all epochs, by data set and metric; those of the training set are its losses."""
        return {LEARN: {"loss": list(self.loss_curve)}} | self.history


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """A network, and what turns raw columns into its inputs.

    Parameters
    ----------
    spec : NetworkSpec
    flat : float32 or float64 [n_parameters]
        As they were trained: for targets in the unit of ``target_scale``.
    scales : tuple of ColumnScale
        Of the numeric columns, in order.
    vocabularies : tuple of uint32 arrays
        Of the categorical columns, in order: the hash of each code, from code 1 on.
    names : tuple of str
        Of all columns.
    hashed : tuple of int
        Positions of the categorical columns, ascending.
    labels : tuple or None
        Column labels of the frame that was trained on; None for an array. A file has those that are text or integers.
    cat_nan : str or None
        The text that stands for missing values in categorical columns; None: there may be none.
    classes : tuple or None
        Labels in the order of the outputs; two for one output.
    target_scale : center and spread of each output, empty where targets were trained on as they are
    record : NetworkRecord
    small : SmallWeights or None
        What ``flat`` was made of, where its weights are rounded; a file then has that.
    """

    spec: NetworkSpec
    flat: Vector
    scales: tuple[ColumnScale, ...]
    vocabularies: tuple[Vocabulary, ...]
    names: tuple[str, ...]
    hashed: tuple[int, ...] = ()
    labels: tuple[Hashable, ...] | None = None
    cat_nan: str | None = None
    classes: tuple[Any, ...] | None = None
    target_scale: TargetScale = ()
    record: NetworkRecord = field(default_factory=NetworkRecord)
    small: SmallWeights | None = None

    def outputs(self, numeric: NDArray[np.float32], codes: NDArray[np.int32]) -> NDArray[np.float64]:
        """Raw outputs, float64 [n_rows, n_outputs], of scaled numbers [n_rows, n_numeric] and codes [n_rows, n_categorical].

        Computed in float64, whatever the network was trained in, and in targets' own units.
        """
        # A network of its own: several tasks of a process may use one model at the same time.
        network = Network(self.spec, "float64")
        raw = network.outputs(self.flat.astype(np.float64), Batch.to_predict(numeric.astype(np.float64), codes))
        return in_own_units(raw, self.target_scale)

    @property
    def inputs(self) -> InputColumns:
        """What turns raw columns into ``outputs``' arguments."""
        return InputColumns(self.scales, self.vocabularies)

    @property
    def coefs(self) -> list[NDArray[np.float64]]:
        """Matrices of the dense layers, float64; the last one is of targets' own units."""
        matrices = Network(self.spec).coefs(self.flat.astype(np.float64))
        if self.target_scale:
            matrices[-1] *= [spread for _, spread in self.target_scale]
        return matrices

    @property
    def intercepts(self) -> list[NDArray[np.float64]]:
        """Biases of the dense layers, float64; the last ones are of targets' own units."""
        biases = Network(self.spec).intercepts(self.flat.astype(np.float64))
        biases[-1] = in_own_units(biases[-1], self.target_scale)
        return biases

    # ---- the file

    def to_bytes(self) -> bytes:
        """The model as bytes, which need neither pickle nor gbdist's version to be the same to be read."""
        arrays = self._arrays()
        header = {
            "spec": {name: value for name, value in asdict(self.spec).items() if name != "edges"},
            "edges": [len(edges) for edges in self.spec.edges],
            "scales": [[scale.quantiles.size, len(scale.edges)] for scale in self.scales],
            "names": self.names,
            "hashed": self.hashed,
            "labels": self.labels if self.labels is not None and all(map(_is_plain, self.labels)) else None,
            "named": self.labels is not None,
            "cat_nan": self.cat_nan,
            "classes": self.classes,
            "target_scale": self.target_scale,
            "record": asdict(self.record),
            "arrays": [[array.dtype.str, array.size] for array in arrays],
        }
        if self.small is not None:
            header["weights"] = self.small.kind
        told = json.dumps(header).encode()
        body = b"".join([len(told).to_bytes(8, "little"), told, *(array.tobytes() for array in arrays)])
        magic = _MAGIC
        if self.small is not None:
            magic, body = _MAGIC_SMALL, zlib.compress(body)
        return magic + hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() + body

    def _arrays(self) -> list[NDArray[Any]]:
        numbers = [(each.fill, each.center, each.scale) for each in self.scales]
        small = self.small
        return [
            *([self.flat] if small is None else small.arrays),
            np.array(numbers, dtype=np.float64).ravel(),
            _joined([each.quantiles for each in self.scales], np.float64),
            _joined([np.array(each.edges) for each in self.scales], np.float64),
            _joined([np.array(each) for each in self.spec.edges], np.float64),
            *self.vocabularies,
        ]

    @classmethod
    def from_bytes(cls, data: bytes, where: str = "the model") -> "NetworkModel":
        """The model behind some bytes; ModelError, which calls them ``where``, for bytes that are none."""
        magic = data[: len(_MAGIC)]
        if magic not in (_MAGIC, _MAGIC_SMALL):
            kind = "of another version of gbdist" if data[:6] == _MAGIC[:6] else "no network of gbdist's"
            raise ModelError(f"{where} is {kind}", "Give what save_model has written, with the version that wrote it.")
        body = data[len(_MAGIC) + _DIGEST_BYTES :]
        if hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest() != data[len(_MAGIC) : -len(body) or None]:
            raise ModelError(f"{where} is damaged: its checksum is another one", "Copy it anew, or save it again.")
        rounded = magic == _MAGIC_SMALL
        if rounded:
            body = zlib.decompress(body)
        begin = 8 + int.from_bytes(body[:8], "little")
        header = json.loads(body[8:begin])
        arrays = _cut(body[begin:], header["arrays"])
        n_weights = 4 if rounded else 1
        numbers, quantiles, edges, spec_edges, *vocabularies = arrays[n_weights:]
        counts = header["scales"]
        scales = tuple(
            ColumnScale(float(fill), float(center), float(scale), points, tuple(ends.tolist()))
            for (fill, center, scale), points, ends in zip(
                numbers.reshape(len(counts), 3),
                _pieces(quantiles, [each[0] for each in counts]),
                _pieces(edges, [each[1] for each in counts]),
                strict=True,
            )
        )
        bins = tuple(tuple(each.tolist()) for each in _pieces(spec_edges, header["edges"]))
        spec = replace(NetworkSpec(**{name: _frozen(value) for name, value in header["spec"].items()}), edges=bins)
        small = SmallWeights(header["weights"], *arrays[:n_weights]) if rounded else None
        names = tuple(header["names"])
        labels = header["labels"] or (names if header["named"] else None)
        return cls(
            spec=spec,
            flat=arrays[0] if small is None else small.flat(spec),
            scales=scales,
            vocabularies=tuple(vocabularies),
            names=names,
            hashed=tuple(header["hashed"]),
            labels=None if labels is None else tuple(labels),
            cat_nan=header["cat_nan"],
            classes=_frozen(header["classes"]),
            target_scale=_frozen(header["target_scale"]),
            record=NetworkRecord(**{each.name: _frozen(header["record"][each.name]) for each in fields(NetworkRecord)}),
            small=small,
        )

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        with whole_file(Path(path)) as unfinished:
            unfinished.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: str | Path) -> "NetworkModel":
        """The model of a file; ModelError for another one."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}", "Check the path.") from error
        return cls.from_bytes(data, str(path))


def _is_plain(label: object) -> bool:
    return isinstance(label, str | int)


def _frozen(value: Any) -> Any:
    """Lists of JSON as tuples; dictionaries, whose lists are histories, as they are."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _joined(arrays: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays]).astype(dtype, copy=False)


def _pieces(array: NDArray[Any], counts: Sequence[int]) -> list[NDArray[Any]]:
    return np.split(array, np.cumsum(counts)[:-1]) if counts else []


def _cut(data: bytes, layout: Sequence[tuple[str, int]]) -> list[NDArray[Any]]:
    arrays, start = [], 0
    for kind, size in layout:
        dtype = np.dtype(kind)
        arrays.append(np.frombuffer(data, dtype, size, start).copy())
        start += size * dtype.itemsize
    return arrays
