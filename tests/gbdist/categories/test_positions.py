"""Features are made of the columns that their numbers stand for."""

from gbdist.categories.positions import Positions
from gbdist.categories.rules import CategoricalColumn, CategoryRules
from gbdist.models.statistics import OneHotFeature, Projection


def test_columns_of_features() -> None:
    columns = tuple(CategoricalColumn(at, f"c{at}", values) for at, values in ((1, (5, 7)), (3, None), (4, None)))
    positions = Positions(CategoryRules(columns, (), ()), 3, [OneHotFeature(0, (5, 7))])
    assert [positions.of_static(feature) for feature in range(4)] == [[0], [2], [5], [1]]
    assert positions.of_projection(Projection((1,))) == [3]
    joined = Projection((1, 2), float_splits=((2, 4), (2, 9)), one_hot_splits=((0, 7),))
    assert positions.of_projection(joined) == [3, 4, 1, 5, 5]
