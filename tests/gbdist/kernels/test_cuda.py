"""Every CUDA kernel equals its NumPy twin, bit for bit, at sizes that do not divide a block: on a card, else on the simulator."""

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numba import cuda

from gbdist.kernels import (
    cuda_binning,
    cuda_histogram,
    cuda_rows,
    cuda_split,
    reference_histogram,
)
from gbdist.kernels.cuda_compile import SHARED_BYTES
from gbdist.kernels.hashing import stream_key

from .conftest import MODULES, Card, equal
from .test_grouped import Groups

# The simulator computes with NumPy's scalars, which warn where a card's integers and floats simply go over.
pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|divide by zero|invalid value) encountered:RuntimeWarning"),
    pytest.mark.usefixtures("quick_simulator"),
]

N, N_CLASSES, N_LEAVES = 101, 3, 7
KEYS = (stream_key(1, 2), stream_key(1, 3))
FIRST_ROW = 2**33
#: CPU kernels of these modules that no card needs: they see what is on the host anyway, as messages between ranks are and what is
#: matched of them, or metrics fetch their rows
HOST_ONLY = {
    "weighted_label_sum",
    "add_all_rows_single",
    "add_picked_rows_single",
    "score_borders",
    "best_of_each",
    "solve_leaves",
    "make_isotonic",
    "add_class_counts",
    "class_log_odds",
    "count_earlier",
    "keys_of_places",
    "match_names",
    "narrow_counts",
    "put_counts",
    "sum_counts",
    "take_counts",
}


def random() -> np.random.Generator:
    return np.random.default_rng(5)


def weights(weighted: bool) -> np.ndarray:
    return (random().random(N) * 3).astype(np.float32) if weighted else np.empty(0, np.float32)


def leaves(n_leaves: int = N_LEAVES) -> np.ndarray:
    return random().integers(0, n_leaves, N).astype(np.uint16)


# ---- rows


def test_sums_of_rows() -> None:
    values = random().normal(size=N) * random().lognormal(size=N)
    equal("absolute_sums", Card(values), (2.0**40, 2.0**30), np.array([5, 7]))
    equal("weight_sum", Card(np.abs(values).astype(np.float32)), 2.0**40)


def test_norms_and_their_buckets() -> None:
    derivatives = random().normal(size=(3, N))
    norms = equal("gradient_norms", Card(derivatives), 0.5, Card(np.empty(N)))[2]
    first = int(np.float64(1.0).view(np.int64)) >> 47
    buckets = equal("bucket_norms", Card(norms), first, 2.0**50, np.ones((100, 2), np.int64))[2]
    assert np.count_nonzero(buckets[:, 0] > 1) > 20
    with pytest.raises(ValueError, match="5000 buckets do not fit"):
        cuda_rows.bucket_norms(cuda.to_device(norms), first, 2.0**30, np.zeros((5000, 2), np.int64))


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("draw_bernoulli", (0.7,)),
        ("draw_bayesian", (1.0,)),
        ("draw_bayesian", (1.7,)),
        ("draw_bayesian", (400.0,)),
        ("draw_mvs", (Card(np.random.default_rng(1).lognormal(size=N)), 2.0)),
    ],
)
def test_draws(name: str, rest: tuple[Any, ...]) -> None:
    draws = equal(name, KEYS[0], FIRST_ROW, *rest, Card(np.empty(N, np.float32)))[-1]
    assert len(np.unique(draws)) > 1


def test_draws_are_applied() -> None:
    draws = np.where(random().random(N) < 0.5, 0.0, random().lognormal(size=N)).astype(np.float32)
    equal("apply_draws", Card(draws), Card(random().normal(size=N)), Card(np.empty(N)))
    heavy = np.full(N, 3e38, np.float32)
    equal("weigh_draws", Card(draws), Card(heavy), Card(np.empty(N, np.float32)))
    equal("mark_drawn", Card(draws), Card(np.empty(N, np.uint8)))


def test_leaves_of_rows() -> None:
    bins = random().integers(0, 255, N).astype(np.uint8)
    equal("split_leaves", Card(bins), 100, 3, Card(leaves()))
    equal("split_leaves", Card(bins.astype(np.uint16) * 200), 20_000, 15, Card(leaves()))
    few = bins % 4
    equal("split_equal_leaves", Card(few), 2, 3, Card(leaves()))
    equal("split_equal_leaves", Card(few.astype(np.uint16) * 20_000), 40_000, 15, Card(leaves()))
    equal("drop_level", Card(leaves(64)), 2)
    equal("clear_leaves", Card(leaves()))
    equal("add_leaf_values", Card(leaves()), random().normal(size=N_LEAVES), Card(random().normal(size=N)))
    rows = random().permutation(N)[:50].astype(np.uint32)
    equal("take_rows", Card(random().normal(size=N)), Card(rows), Card(np.empty(50)))


# ---- histograms


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["pack_cells", "pack_wide_cells"])
def test_cells(name: str, weighted: bool) -> None:
    shape = (N, 2) if "wide" in name else (N,)
    derivatives = Card(random().normal(size=N))
    cells = Card(np.empty(shape, np.int64))
    equal(name, derivatives, Card(weights(weighted)), (1e5, 1e3), KEYS, 2**40, cells)


@pytest.mark.parametrize("sampled", [False, True])
def test_picked_rows(sampled: bool) -> None:
    slots_of = np.array([0, -1, 1, -1, -1, 2, 3], np.int32)
    drawn = random().integers(0, 2, N).astype(np.uint8) if sampled else np.empty(0, np.uint8)
    rows, slots = Card(np.zeros(N + 1, np.uint32)), Card(np.zeros(N + 1, np.uint16))
    assert equal("pick_rows", Card(leaves()), slots_of, Card(drawn), 50, rows, slots)[0] > 20
    assert cuda_histogram.pick_rows(cuda.to_device(leaves()[:0]), slots_of, drawn, 0, None, None) == 0


@pytest.mark.parametrize("shape", [(N,), (N, 2)])
def test_gathered_cells(shape: tuple[int, ...]) -> None:
    rows = random().permutation(N)[:99].astype(np.uint32)
    out = Card(np.empty((99, *shape[1:]), np.int64))
    equal("take_rows", Card(random().integers(-(2**60), 2**60, shape)), Card(rows), out)


def expected_table(bins, features, picked, cells, layout, shape) -> np.ndarray:
    """Tables of some features by the twins that count one feature."""
    table = np.ones(shape, np.int64)
    wide = cells.ndim == 2
    for feature in range(*features):
        add = reference_histogram.add_picked_rows_wide if wide else reference_histogram.add_picked_rows_single
        add(bins, feature, picked, cells, layout, table)
    return table


@pytest.mark.parametrize("bits", [3, 8, 10, 12])
@pytest.mark.parametrize("wide", [False, True])
def test_histograms(bits: int, wide: bool) -> None:
    """Tables that fit a block by four, by two, by one and not at all; bins of both types."""
    rng = random()
    bins = rng.integers(0, 1 << bits, (6, N)).astype(np.uint8 if bits <= 8 else np.uint16)
    rows = np.flatnonzero(rng.random(N) < 0.6).astype(np.uint32)
    picked = (rows, rng.integers(0, 4, rows.shape[0]).astype(np.uint16))
    low = rng.integers(0, 2**20, rows.shape[0])
    high = rng.integers(-(2**21), 2**21, rows.shape[0])
    cells = np.stack([high, low], axis=1) if wide else (high << 32) + low
    shape = (6, 2, (4 << bits) * (2 if wide else 1))
    table = cuda.to_device(np.ones(shape, np.int64))
    add = cuda_histogram.add_picked_rows_wide if wide else cuda_histogram.add_picked_rows
    there = tuple(cuda.to_device(one) for one in picked)
    add(cuda.to_device(bins), (1, 6), there, cuda.to_device(cells), (1, bits), table)
    expected = expected_table(bins, (1, 6), picked, cells, (1, bits), shape)
    assert np.array_equal(table.copy_to_host(), expected)


def test_the_root_is_counted_like_any_level() -> None:
    rng = random()
    bins = rng.integers(0, 256, (5, N)).astype(np.uint8)
    cells = (rng.integers(-(2**21), 2**21, N) << 32) + rng.integers(0, 2**20, N)
    table = cuda.to_device(np.ones((5, 2, 256), np.int64))
    cuda_histogram.add_all_rows(cuda.to_device(bins), (0, 5), cuda.to_device(cells), 1, table)
    everything = (np.arange(N, dtype=np.uint32), np.zeros(N, np.uint16))
    assert np.array_equal(table.copy_to_host(), expected_table(bins, (0, 5), everything, cells, (1, 8), (5, 2, 256)))
    large = cuda.device_array((1, 1, SHARED_BYTES), np.int64)
    with pytest.raises(ValueError, match=f"a table of {SHARED_BYTES} cells does not fit a block"):
        cuda_histogram.add_all_rows(None, (0, 1), cuda.to_device(cells), 0, large)


def test_tables_are_cleared_and_split() -> None:
    table = cuda.to_device(random().integers(-9, 9, (3, 2, 5)))
    cuda_histogram.clear_table(table)
    assert not table.copy_to_host().any()
    parents, counted = random().integers(-99, 99, (2, 3, 2, 4, 9))
    right = np.array([0, 1, 1, 0], np.uint8)
    equal("split_parents", Card(parents), Card(counted), right, Card(np.empty((3, 2, 8, 9), np.int64)))


@pytest.mark.parametrize(
    ("cosine", "wide", "sigma"), [(True, False, 0.7), (False, True, 0.0), (True, False, 0.0), (True, True, 0.7)]
)
def test_best_borders(cosine: bool, wide: bool, sigma: float) -> None:
    """Equal without noise; with noise each family's winner is, and features that the twin gave up early do not reach it."""
    rng = random()
    n_bins = np.array([37, 1, 7, 2, 16, 37, 1, 5, 2], np.int64)
    equals, families = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1], np.uint8), np.array([0, 0, 2, 2, 2, 1, 1, 1, 1])
    amounts = rng.integers(0, 50, (9, 2, 3, 37))
    amounts[..., ::3] = 0
    derivatives = np.where(amounts > 0, rng.integers(-(2**16), 2**16, amounts.shape), 0)
    for f, bins in enumerate(n_bins):
        amounts[f, ..., bins:], derivatives[f, ..., bins:] = 0, 0
    amounts[:, :, 2], derivatives[:, :, 2] = 0, 0  # an empty leaf
    derivatives[5, :, :2, 36], amounts[5, :, :2, 36] = 2**18, 20  # the last value of a one-hot feature is its best
    cells = np.stack([derivatives, amounts], axis=-1).reshape(9, 2, 3, -1) if wide else (derivatives << 32) + amounts
    units, features = np.array([1e-3, 2e-3, 0.5]), np.arange(9) + 9
    found = []
    for best_borders, table in (
        (cuda_split.best_borders, cuda.to_device(cells)),
        (reference_histogram.best_borders, cells),
    ):
        best = (np.full(9, 7, np.int64), np.full(9, -np.inf), np.full(9, -np.inf))
        best_borders(table, n_bins, equals, families, features, units, (3.0, cosine, wide), sigma, KEYS, best)
        found.append(best)
    for family in range(3):
        members = np.flatnonzero(families == family)
        winner = int(members[np.argmax(found[1][1][members])])
        assert [one[winner] for one in found[0]] == [one[winner] for one in found[1]]
        assert members[np.argmax(found[0][1][members])] == winner
    assert np.array_equal(found[0][0] == -1, n_bins < 2)
    assert found[0][0][5] == 36
    if sigma == 0.0:
        assert all(one.tobytes() == other.tobytes() for one, other in zip(*found, strict=True))


# ---- losses and metrics


def labels(dimension: int) -> np.ndarray:
    rng = random()
    return (rng.integers(0, dimension, N) if dimension > 1 else rng.random(N)).astype(np.float32)


def predictions(dimension: int) -> np.ndarray:
    values = random().normal(size=(dimension, N)) * 4
    values[:, :6] = [-800.0, 800.0, -40.0, 40.0, 0.0, 1e-9]
    return values


ALL, NO_LOSS, LOSS_ALONE = [2.0**36, 2.0**40, 2.0**38, 2.0**37], [0, 2.0**40, 2.0**38, 2.0**37], [2.0**36, 0, 0, 0]


@pytest.mark.parametrize("weighted", [False, True])
def test_derivatives(weighted: bool) -> None:
    w, one, many = Card(weights(weighted)), predictions(1)[0], predictions(N_CLASSES)
    equal("residual_derivatives", Card(labels(1)), w, Card(one), Card(np.empty(N)))
    for positive in (-1, -2):
        equal("logistic_derivatives", Card(labels(1)), w, Card(one), positive, Card(np.empty(N)))
    equal("logistic_derivatives", Card(labels(N_CLASSES)), w, Card(many[2]), 2, Card(np.empty(N)))
    equal("softmax_derivatives", Card(labels(N_CLASSES)), w, Card(many), Card(np.empty((N_CLASSES, N))))


@pytest.mark.parametrize(
    ("n_leaves", "scales", "weighted"),
    [(N_LEAVES, ALL, True), (N_LEAVES, NO_LOSS, False), (1, LOSS_ALONE, True), (4096, ALL, False)],
    ids=["all", "no loss", "loss alone", "more leaves than a block holds"],
)
def test_leaf_sums(n_leaves: int, scales: list[float], weighted: bool) -> None:
    units, w, leaf_of_row = np.array(scales), Card(weights(weighted)), Card(leaves(n_leaves))
    shift = random().normal(size=(n_leaves, N_CLASSES))
    one, many = Card(predictions(1)[0]), Card(predictions(N_CLASSES))
    few = np.ones((n_leaves, 4), np.int64)
    equal("add_residual_leaf_sums", Card(labels(1)), w, one, leaf_of_row, shift[:, :1], units, few)
    equal("add_logistic_leaf_sums", Card(labels(1)), w, one, leaf_of_row, shift[:, :1], -1, units, few)
    classes = Card(labels(N_CLASSES))
    of_all = np.ones((n_leaves, 2 + 2 * N_CLASSES), np.int64)
    for k in range(2):
        row = Card(many.values[k])
        equal("add_logistic_leaf_sums", classes, w, row, leaf_of_row, shift, k, units, of_all)
    full = np.ones((n_leaves, 2 + N_CLASSES + N_CLASSES * (N_CLASSES + 1) // 2), np.int64)
    equal("add_softmax_leaf_sums", classes, w, many, leaf_of_row, shift, units, full)


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_of_metrics(weighted: bool) -> None:
    w, one = Card(weights(weighted)), Card(predictions(1)[0])
    residual_units = 2.0 ** np.array([20, 12, 30, 33, 34])
    equal("add_residual_sums", Card(labels(1)), w, one, residual_units, np.ones((5, 2), np.int64))
    two = 2.0 ** np.array([30, 31])
    for positive in (-2, -1):
        equal("add_logistic_sums", Card(labels(1)), w, one, positive, two, np.ones(2, np.int64))
    equal("add_brier_sums", Card(labels(1)), w, one, two, np.ones(2, np.int64))
    classes, many = Card(labels(N_CLASSES)), Card(predictions(N_CLASSES))
    equal("add_softmax_sums", classes, w, many, two, np.ones(2, np.int64))


def test_bins() -> None:
    rng = random()
    tile = rng.standard_cauchy((3, N)).astype(np.float32)
    tile[:, ::9] = np.nan
    tables = np.full((3, 16), np.inf, np.float32)
    for f, count in enumerate((0, 5, 14)):
        tables[f, :count] = np.sort(rng.standard_cauchy(count))
        tile[f, 1 : count + 1] = tables[f, :count]
    steps, nan_bins = np.array([0, 4, 8], np.uint32), np.array([0, 5, 0], np.uint32)
    for dtype in (np.uint8, np.uint16):
        equal("bin_tile", tile, tables, steps, nan_bins, np.zeros((3, N), dtype))
    cuda_binning.bin_tile(tile[:, :0], tables, steps, nan_bins, np.zeros((3, 0), np.uint8))


# ---- none is left out


#: called by kernels only
DEVICE_FUNCTIONS = {
    "choose_border",
    "score_borders",
    "target_of",
    "weight_of",
    "softmax_parts",
    "add_to_leaf",
    "add_block",
    "launch_sums",
    "four_scales",
}


def cuda_names(module: ModuleType) -> set[str]:
    return {
        name
        for name, member in vars(module).items()
        if inspect.isfunction(member) and member.__module__ == module.__name__ and not name.startswith("_")
    } - DEVICE_FUNCTIONS


@pytest.mark.parametrize(
    "stage",
    [
        "rows",
        "histogram",
        "losses",
        "split",
        "binning",
        "categories",
        "coding",
        "pointwise",
        "quantiles",
        "monotone",
        "leafwise",
    ],
)
def test_every_cpu_kernel_has_its_cuda_twin(stage: str) -> None:
    cpu = importlib.import_module(f"gbdist.kernels.cpu_{stage}")
    wanted = {
        name for name, member in vars(cpu).items() if hasattr(member, "py_func") and member.__module__ == cpu.__name__
    }
    helpers = {"choose_border", "load_weights", "load_targets", "softmax_block"}
    own = cuda_names(importlib.import_module(f"gbdist.kernels.cuda_{stage}"))
    missing = {name for name in wanted if not name.startswith("_")} - own - HOST_ONLY - helpers
    assert not missing


@pytest.mark.parametrize("module", [*MODULES.values(), cuda_split], ids=lambda module: module.__name__)
def test_every_cuda_kernel_is_tested(module: ModuleType) -> None:
    text = " ".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_cuda*.py"))
    text += " ".join(Groups(0, False).calls())  # which test_cuda_grouped.py goes through
    assert [name for name in cuda_names(module) if not re.search(rf"\b{name}\b", text)] == []
