"""A shrunk model: what each tree counts for in the end, and that predictions say the same."""

import numpy as np
import pytest

from gbdist.boosting.params import BoostParams, Bootstrap, Stopping
from gbdist.boosting.shrinkage import Shrinkage
from gbdist.kernels import cpu_rows, reference_rows
from gbdist.metrics import make_metrics
from gbdist.models.tree import ObliviousTree
from gbdist.objectives import make_objective

from .conftest import MakeTable


def params_of(loss: str, **more: object) -> BoostParams:
    return BoostParams(
        objective=make_objective(loss, 2),
        metrics=make_metrics(loss, 2, loss),
        **{"iterations": 8, "depth": 3, "learning_rate": 0.5, "bootstrap": Bootstrap("MVS", 0.8), **more},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("shrinkage", "factors"),
    [(Shrinkage(0.5, "Constant"), [1.0, 0.75, 0.75, 0.75]), (Shrinkage(0.5, "Decreasing"), [1.0, 0.5, 0.75, 5 / 6])],
)
def test_factors(shrinkage: Shrinkage, factors: list[float]) -> None:
    assert [shrinkage.factor(tree, 0.5) for tree in range(4)] == factors
    one = [ObliviousTree((), np.ones((1, 1)), np.ones(1)) for _ in range(4)]
    bias, trees = shrinkage.shrunk(np.ones(1), one, 0.5)
    behind = [np.prod(factors[number + 1 :]) for number in range(4)]
    assert bias.tolist() == pytest.approx([np.prod(factors)])
    assert [tree.leaf_values.item() for tree in trees] == pytest.approx(behind)
    assert trees[-1] == one[-1]


@pytest.mark.parametrize("mode", ["Constant", "Decreasing"])
@pytest.mark.parametrize("loss", ["RMSE", "Poisson", "MultiClass"])
def test_predictions_are_those_of_the_shrunk_trees_on_any_ranks(make_table: MakeTable, loss: str, mode: str) -> None:
    table, other = make_table(n_rows=500, classes=2), make_table(n_rows=100, classes=2, seed=3)
    params = params_of(loss, shrinkage=Shrinkage(0.3, mode), boost_from_average=loss == "RMSE")
    alone = table.boost(params, (other,))
    for rows, predictions in ((table.rows, alone.predictions), (other.rows, alone.eval_predictions[0])):
        expected = np.repeat(alone.bias[:, None], rows.n_rows, axis=1)
        for tree in alone.trees:
            leaves = np.zeros(rows.n_rows, np.int64)
            for level, split in enumerate(tree.splits):
                leaves += (rows.bins[split.feature] > split.border).astype(np.int64) << level
            expected += tree.leaf_values[leaves].T
        assert predictions == pytest.approx(expected, abs=1e-12)
    for result in table.boost_on_ranks(params, 3, (other,)):
        assert (result.trees, result.history) == (alone.trees, alone.history)
        assert result.bias.tobytes() == alone.bias.tobytes()


def test_a_model_that_is_cut_has_the_factors_of_its_own_trees(make_table: MakeTable) -> None:
    table, noise = make_table(n_rows=300), make_table(n_rows=300, seed=9)
    noise.rows.label[:] = np.random.default_rng(0).permutation(noise.rows.label)
    shrinkage = Shrinkage(0.3)
    cut = table.boost(
        params_of("RMSE", shrinkage=shrinkage, stopping=Stopping("Iter", 3), use_best_model=True), (noise,)
    )
    n_trees = len(cut.trees)
    assert n_trees < 8
    assert cut.trees == table.boost(params_of("RMSE", shrinkage=shrinkage, iterations=n_trees)).trees


def test_values_are_scaled() -> None:
    for module in (cpu_rows, reference_rows):
        values = np.array([0.0, -3.0, 1e300])
        module.scale_values(0.5, values)
        assert values.tolist() == [0.0, -1.5, 5e299]
