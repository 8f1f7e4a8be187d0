"""Metrics of ranking: fast kernels equal their NumPy twins, bit for bit."""

import numpy as np
import pytest

from gbdist.kernels import cpu_ranking, reference_ranking
from gbdist.kernels import cpu_ranking as kinds
from gbdist.kernels.grouped import ALL

from .test_grouped import Groups


@pytest.mark.parametrize("top", [ALL, 3])
@pytest.mark.parametrize("kind", range(10))
def test_scores(kind: int, top: int) -> None:
    for seed in range(3):
        groups, found = Groups(seed, False), []
        label = groups.label / np.float32(3.0) if kind in (kinds.CLASSIC_AUC, kinds.PFOUND) else groups.label
        for module in (cpu_ranking, reference_ranking):
            order, scores = np.zeros(groups.n, np.int32), np.zeros(len(groups.starts) - 1)
            module.rank_rows(groups.prediction, label, groups.starts, order)
            rule = (kind, top, 0.5, 0.85, seed == 1, seed == 2)
            module.score_groups(rule, label, groups.prediction, groups.starts, order, scores)
            found.append((order.tobytes(), scores.tobytes()))
        assert found[0] == found[1]


@pytest.mark.parametrize("weighted", [False, True])
def test_query_cross_entropy(weighted: bool) -> None:
    for seed in range(3):
        groups, found = Groups(seed, weighted), []
        label = (groups.label > 1).astype(np.float32)
        for module in (cpu_ranking, reference_ranking):
            losses = np.zeros(len(groups.starts) - 1)
            module.query_cross_entropy(label, groups.weight, groups.prediction * 20, groups.starts, 0.95, losses)
            found.append(losses.tobytes())
        assert found[0] == found[1]
