"""Every metric kernel equals its NumPy twin, bit for bit."""

from itertools import pairwise

import numpy as np
import pytest

from gbdist.kernels import cpu_metrics, reference_metrics

N_ROWS, N_CLASSES, LEFT = 1_237, 4, 38
CUTS = [0, 1, 5, 256, 300, 300, 1_024, N_ROWS]


@pytest.fixture(params=[False, True], ids=["unweighted", "weighted"])
def weight(request) -> np.ndarray:
    if not request.param:
        return np.empty(0, np.float32)
    return (np.random.default_rng(1).random(N_ROWS) * 3).astype(np.float32)


@pytest.fixture
def predictions() -> np.ndarray:
    values = np.random.default_rng(2).normal(size=(N_CLASSES, N_ROWS)) * 3
    values[:, ::7] = np.round(values[:, ::7])
    values[:, :4] = [-900.0, 900.0, 0.0, -0.0]
    return values


@pytest.fixture
def classes() -> np.ndarray:
    return np.random.default_rng(3).integers(0, N_CLASSES, N_ROWS).astype(np.float32)


@pytest.fixture
def probabilities() -> np.ndarray:
    return np.random.default_rng(4).random(N_ROWS).astype(np.float32)


def part(weight: np.ndarray, start: int, stop: int) -> np.ndarray:
    return weight[start:stop] if weight.shape[0] else weight


def check(name: str, shape, weight, label, predictions, *rest) -> None:
    """Kernel, twin, and the sum of the kernel over slices agree."""
    found, expected, sliced = (np.zeros(shape, np.int64) for _ in range(3))
    kernel = getattr(cpu_metrics, name)
    kernel(label, weight, predictions, *rest, found)
    getattr(reference_metrics, name)(label, weight, predictions, *rest, expected)
    for start, stop in pairwise(CUTS):
        kernel(label[start:stop], part(weight, start, stop), predictions[..., start:stop], *rest, sliced)
    assert np.array_equal(found, expected)
    assert np.array_equal(sliced, expected)
    assert expected.any()


def test_residual_sums(weight, probabilities, predictions) -> None:
    scales = 2.0 ** np.array([20, 12, 30, 33, 34])
    check("add_residual_sums", (5, 2), weight, probabilities, predictions[0], scales)


@pytest.mark.parametrize("positive", [-2, -1, 0, 2])
def test_logistic_sums(positive, weight, probabilities, classes, predictions) -> None:
    label = probabilities if positive < 0 else classes
    check("add_logistic_sums", 2, weight, label, predictions[0], positive, 2.0 ** np.array([30, 31]))


def test_brier_sums(weight, probabilities, predictions) -> None:
    check("add_brier_sums", 2, weight, probabilities, predictions[0], 2.0 ** np.array([40, 41]))


def test_softmax_sums(weight, classes, predictions) -> None:
    check("add_softmax_sums", 2, weight, classes, predictions, 2.0 ** np.array([30, 31]))


def test_class_counts(weight, classes, probabilities, predictions) -> None:
    check("add_class_counts", (N_CLASSES, 3), weight, classes, predictions, 0.0, 2.0**30)
    check("add_class_counts", (2, 3), weight, probabilities, predictions[:1], 0.25, 2.0**30)


def test_class_log_odds(predictions) -> None:
    found, expected = np.empty(N_ROWS), np.empty(N_ROWS)
    for k in range(N_CLASSES):
        cpu_metrics.class_log_odds(predictions, k, found)
        reference_metrics.class_log_odds(predictions, k, expected)
        assert np.array_equal(found, expected)


SIDES = [(-1, -1), (1, -1), (2, 0)]


@pytest.mark.parametrize("sides", SIDES)
def test_score_histogram(sides, weight, classes, probabilities, predictions) -> None:
    label = probabilities if sides[0] < 0 else classes
    check("add_score_histogram", (1 << 14, 2), weight, label, predictions[0], sides, 2.0**20, LEFT)


@pytest.mark.parametrize("sides", SIDES)
def test_taking_scores_and_cutting_their_cells(sides, weight, classes, probabilities, predictions) -> None:
    label, score = probabilities if sides[0] < 0 else classes, predictions[0]
    slots = np.full(1 << 14, -1, np.int32)
    named = np.unique(reference_metrics.score_images(score) >> LEFT)[::2]
    slots[named] = np.arange(named.shape[0])
    taken = []
    for module in (cpu_metrics, reference_metrics):
        room = module.count_scores(score, LEFT, slots)
        rows = np.empty((room + 1, 4), np.int64)
        taken.append(rows[: module.take_scores(label, weight, score, sides, 2.0**20, LEFT, slots, rows)])
    assert np.array_equal(*taken)
    assert taken[0].shape[0] > 100
    rows, bits = taken[0], 5
    cut = []
    for module in (cpu_metrics, reference_metrics):
        cells = np.zeros((named.shape[0] << bits, 2), np.int64)
        ties = np.zeros((named.shape[0], 9), np.int64)
        module.add_taken_cells(rows, LEFT, bits, cells, ties)
        area = np.zeros(2)
        module.add_areas(cells, bits, area)
        cut.append((cells, ties, area))
    assert all(np.array_equal(a, b) for a, b in zip(*cut, strict=True))
    chosen = np.where(np.arange(cells.shape[0]) % 3 == 0, np.arange(cells.shape[0]), -1).astype(np.int32)
    kept = []
    for module in (cpu_metrics, reference_metrics):
        out = np.empty((rows.shape[0] + 1, 4), np.int64)
        kept.append(out[: module.keep_taken(rows, LEFT, bits, chosen, out)])
    assert np.array_equal(*kept)
    assert kept[0].shape[0] > 0


def test_score_images_grow_with_the_score() -> None:
    rng = np.random.default_rng(6)
    score = np.concatenate([rng.normal(size=20_000) * 5, 10.0 ** rng.uniform(-300, 300, 2_000), [-np.inf, np.inf, 0.0]])
    score = np.sort(np.concatenate([score, -score, np.nextafter(score, 0.0)]))
    images = reference_metrics.score_images(score)
    assert (np.diff(images) >= 0).all()
    assert images[0] >= 0
    assert images[-1] < 1 << 52
    near = np.abs(score) < 30
    apart = np.diff(score[near]) > 1e-12
    assert (np.diff(images[near])[apart] > 0).all()
