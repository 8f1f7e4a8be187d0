"""The weighted sum of several ensembles as one: all their trees, on the union of their borders, values, statistics and tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from gbdist.compression.passes.apart import kept_apart
from gbdist.compression.passes.nested import flat, nested
from gbdist.errors import ModelError
from gbdist.models.ensemble import Ensemble
from gbdist.models.statistics import OneHotFeature, Projection
from gbdist.models.tree import NonSymmetricTree, ObliviousTree, Tree, TreeSplit
from gbdist.quantize.borders import FeatureBorders

_Move = Callable[[TreeSplit], TreeSplit]


def weighted_sum(ensembles: Sequence[Ensemble], weights: Sequence[float]) -> Ensemble:
    """One ensemble whose raw predictions are the sum of the ensembles', each times its weight.

    Leaf weights stay. Where some trees are symmetric and some are not, all become non-symmetric. Tables of one projection that
    differ are kept apart (``apart``). Feature names, classes, the number of raw values and the places of categorical columns must
    be the same, which is not looked at here; the options are those of the first ensemble.

    Raises
    ------
    ModelError
        Where one ensemble takes missing values of a column for the highest and another one does not.
    """
    borders = tuple(_common_borders(ensembles, f) for f in range(len(ensembles[0].borders)))
    ensembles = [_on_borders(ensemble, borders) for ensemble in ensembles]
    names, tables = kept_apart([ensemble.categories.tables for ensemble in ensembles])
    ensembles = [_renamed(ensemble, name) for ensemble, name in zip(ensembles, names, strict=True)]
    statistics = dict.fromkeys(chain.from_iterable(ensemble.categories.statistics for ensemble in ensembles))
    part = replace(
        ensembles[0].categories,
        one_hot=_common_values(ensembles),
        statistics=tuple(statistics),
        tables=tables,
    )
    summed = replace(ensembles[0], trees=(), bias=np.zeros(ensembles[0].dimension), categories=part)
    moved = [_moved(ensemble, _onto(ensemble, summed)) for ensemble in ensembles]
    return replace(
        summed,
        trees=_of_one_kind(
            replace(tree, leaf_values=weight * tree.leaf_values)
            for trees, weight in zip(moved, weights, strict=True)
            for tree in trees
        ),
        bias=sum((weight * each.bias for each, weight in zip(ensembles, weights, strict=True)), summed.bias),
    )


def _common_borders(ensembles: Sequence[Ensemble], feature: int) -> FeatureBorders:
    used = [each.borders[feature] for each in ensembles if each.borders[feature].values.shape[0]]
    if not used:
        return ensembles[0].borders[feature]
    treatments = {borders.nan_treatment for borders in used}
    if "AsTrue" in treatments and len(treatments) > 1:
        first = ensembles[0]
        raise ModelError(
            f"the models take missing values of the column {first.feature_names[first.binned[feature]]!r} for different things "
            f"({', '.join(sorted(treatments))})",
            'Train all with nan_mode="Min", or with data in which the column has missing values for each.',
        )
    values = np.unique(np.concatenate([borders.values for borders in used]))
    # A model that has seen no NaN ("AsIs") finds NaN above no border, which is what "AsFalse" says of it.
    return FeatureBorders(values, "AsFalse" if "AsFalse" in treatments else used[0].nan_treatment)


def _on_borders(ensemble: Ensemble, borders: tuple[FeatureBorders, ...]) -> Ensemble:
    """The same ensemble with more borders."""
    numbers = [
        np.searchsorted(common.values, own.values).tolist()
        for common, own in zip(borders, ensemble.borders, strict=True)
    ]

    def move(split: TreeSplit) -> TreeSplit:
        of_number = split.feature < len(borders)
        return TreeSplit(split.feature, numbers[split.feature][split.border]) if of_number else split

    def on_borders(projection: Projection) -> Projection:
        return replace(projection, float_splits=tuple((f, numbers[f][border]) for f, border in projection.float_splits))

    part = ensemble.categories
    return replace(
        ensemble,
        trees=_moved(ensemble, move),
        borders=borders,
        categories=replace(
            part,
            statistics=tuple(replace(each, projection=on_borders(each.projection)) for each in part.statistics),
            tables=tuple(replace(each, projection=on_borders(each.projection)) for each in part.tables),
        ),
    )


def _renamed(ensemble: Ensemble, names: Mapping[Projection, Projection]) -> Ensemble:
    """The ensemble with statistics of other projections; its tables, which are another's now, are left out."""
    statistics = tuple(replace(each, projection=names[each.projection]) for each in ensemble.categories.statistics)
    return replace(ensemble, categories=replace(ensemble.categories, statistics=statistics, tables=()))


def _common_values(ensembles: Iterable[Ensemble]) -> tuple[OneHotFeature, ...]:
    values: dict[int, set[int]] = {}
    for feature in chain.from_iterable(ensemble.categories.one_hot for ensemble in ensembles):
        values.setdefault(feature.cat, set()).update(feature.values)
    return tuple(OneHotFeature(cat, tuple(sorted(values[cat]))) for cat in sorted(values))


def _onto(ensemble: Ensemble, summed: Ensemble) -> _Move:
    """From the ensemble's numbers of features and values to those of the sum."""
    features = ensemble.features
    of_cat = {feature.cat: feature for feature in summed.categories.one_hot}
    numbers = {feature: number for number, feature in enumerate(summed.features)}

    def move(split: TreeSplit) -> TreeSplit:
        feature = features[split.feature]
        if isinstance(feature, OneHotFeature):
            common = of_cat[feature.cat]
            return TreeSplit(numbers[common], common.values.index(feature.values[split.border]))
        return TreeSplit(numbers[feature], split.border)

    return move


def _moved(ensemble: Ensemble, move: _Move) -> tuple[Tree, ...]:
    """The trees with other numbers in their tests."""
    return tuple(_with_moved_splits(tree, move) for tree in ensemble.trees)


def _with_moved_splits(tree: Tree, move: _Move) -> Tree:
    if isinstance(tree, NonSymmetricTree):
        return replace(tree, nodes=tuple(replace(node, split=move(node.split)) for node in tree.nodes))
    return replace(tree, splits=tuple(map(move, tree.splits)))


def _of_one_kind(trees: Iterable[Tree]) -> tuple[Tree, ...]:
    found = tuple(trees)
    if len({isinstance(tree, ObliviousTree) for tree in found}) < 2:
        return found
    return tuple(flat(nested(tree)) for tree in found)
