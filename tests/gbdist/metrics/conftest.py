"""Made-up scored rows, and ranks that share them."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from gbdist.metrics import Metric, Scored, evaluate


def _make_scored(kind: str, weighted: bool, n_rows: int = 1_501, seed: int = 3) -> Scored:
    """Rows of one kind: "binary", "soft" (probabilities as labels), "regression", "uncertain" (with a deviation), "multi" (3

    classes), "times" (ends of intervals), or with 3 labels "labels" (0 and 1), "soft_labels", "numbers", "missing" (numbers, not
    of every row).
    """
    rng = np.random.default_rng(seed)
    dimension = {"binary": 1, "soft": 1, "regression": 1, "times": 1, "uncertain": 2}.get(kind, 3)
    predictions = rng.normal(size=(dimension, n_rows)) * 2
    predictions[:, ::5] = np.round(predictions[:, ::5])  # equal scores, and scores of 0
    label = {
        "binary": (rng.random(n_rows) < 0.3 + 0.3 * (predictions[0] > 0)).astype(np.float32),
        "soft": rng.random(n_rows).astype(np.float32),
        "regression": (predictions[0] + rng.normal(size=n_rows) + 20).astype(np.float32),
        "uncertain": (predictions[0] + rng.normal(size=n_rows)).astype(np.float32),
        "multi": rng.integers(0, 3, n_rows).astype(np.float32),
        "labels": rng.integers(0, 2, (3, n_rows)).astype(np.float32),
        "times": np.stack([np.exp(predictions[0] - 0.5), np.exp(predictions[-1] + rng.normal(size=n_rows) + 1)]).astype(
            np.float32
        ),
        "soft_labels": rng.random((3, n_rows)).astype(np.float32),
        "numbers": rng.normal(size=(3, n_rows)).astype(np.float32),
        "missing": np.where(rng.random((3, n_rows)) < 0.2, np.nan, rng.normal(size=(3, n_rows))).astype(np.float32),
    }[kind]
    if kind == "times":
        label[0, ::7], label[1, 1::7], label[0, 3::7] = label[1, ::7], -1.0, -1.0
    weight = (rng.random(n_rows) * 3).astype(np.float32) if weighted else None
    return Scored(
        predictions=predictions,
        label=label,
        weight=weight,
        total_weight=float(n_rows if weight is None else weight.astype(np.float64).sum()),
        label_bound=float(np.nanmax(np.abs(label))),
        prediction_bound=float(np.abs(predictions).max()) * 1.5,
        total_rows=n_rows,
    )


def _cut(scored: Scored, cuts: Sequence[int]) -> list[Scored]:
    """The rows between cuts, each on a rank of its own, with the global facts of the whole."""
    ends = [0, *cuts, scored.predictions.shape[1]]
    return [
        Scored(
            predictions=np.ascontiguousarray(scored.predictions[:, start:stop]),
            label=np.ascontiguousarray(scored.label[..., start:stop]),
            weight=None if scored.weight is None else scored.weight[start:stop],
            total_weight=scored.total_weight,
            label_bound=scored.label_bound,
            prediction_bound=scored.prediction_bound,
            total_rows=scored.total_rows,
        )
        for start, stop in pairwise(ends)
    ]


class _Ranks:
    """Ranks of one process: each records what it would send; a pass gives all of them the sums of the rounds before."""

    def __init__(self, parts: list[Scored]) -> None:
        self.parts = parts
        self.rounds = 0

    def evaluate(self, metrics: Sequence[Metric]) -> list[dict[str, float]]:
        answers: list[NDArray[np.int64]] = []
        while True:
            asked, values = [], []
            for part in self.parts:
                given = iter(answers)

                def all_reduce(vector: NDArray[np.int64], given=given, asked=asked) -> NDArray[np.int64]:
                    answer = next(given, None)
                    if answer is None:
                        asked.append(vector.copy())
                        raise _NotYetError
                    return answer.copy()

                try:
                    values.append(evaluate(metrics, part, all_reduce))
                except _NotYetError:
                    continue
            if not asked:
                self.rounds = len(answers)
                return values
            answers.append(np.sum(asked, axis=0))


class _NotYetError(Exception):
    """The ranks have not met for this round."""


@pytest.fixture
def make_scored() -> Callable[..., Scored]:
    return _make_scored


@pytest.fixture
def cut() -> Callable[[Scored, Sequence[int]], list[Scored]]:
    return _cut


@pytest.fixture
def ranks() -> type[_Ranks]:
    return _Ranks
