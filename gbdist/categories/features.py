"""Features of a run with categorical columns: binned and one-hot columns, statistics of single columns, and combinations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.crew import Crew
from gbdist.boosting.draws import Purpose, key_of
from gbdist.boosting.features import Block
from gbdist.boosting.penalties import Costs, Penalties
from gbdist.boosting.progress import Step
from gbdist.boosting.routes import find_leaves
from gbdist.boosting.rows import Rows
from gbdist.categories.cache import Latest
from gbdist.categories.chosen import Chosen
from gbdist.categories.combinations import Combination, Combinations
from gbdist.categories.positions import Positions
from gbdist.categories.room import CACHE_BYTES, CHUNK_BYTES, KEPT_BYTES, SINGLE_BYTES
from gbdist.categories.rules import CategoryRules
from gbdist.categories.statistics import Counts, StatisticCounter, chunks
from gbdist.kernels.elementary import exp_array, log_array
from gbdist.models.statistics import CategoricalPart, OneHotFeature, Projection, StatisticFeature
from gbdist.models.tree import Tree, TreeSplit

#: Bytes of a combination for each row beside its bins where every row is a category of its own: codes and names; and for each
#: column of counts, those of the rank, those before, and totals.
_COMBINATION_ROW, _COMBINATION_COUNTS = 4 + 12, 3 * 4


@dataclass(frozen=True, eq=False)
class _Made:
    """Features of a projection, bins uint8 [n_features, n_train] in some permutation, and categories by kind of statistic.

    Bins lie where categories are counted.
    """

    projection: Projection
    features: tuple[StatisticFeature, ...]
    bins: Any
    n_categories: dict[str, int]


class CategoricalFeatures:
    """See ``boosting.features.TreeFeatures``; and the columns of statistics that trees use.

    Parameters
    ----------
    rows : Rows
        Training rows where the crew works; the last rows of ``bins`` are one-hot columns.
    n_bins : int64 [n_binned + n_one_hot]
    one_hot : tuple of OneHotFeature
    """

    def __init__(
        self,
        rules: CategoryRules,
        seed: int,
        rows: Rows,
        n_bins: NDArray[np.int64],
        one_hot: tuple[OneHotFeature, ...],
        counter: StatisticCounter,
        crew: Crew,
        penalties: Penalties | None = None,
    ) -> None:
        self._rules, self._seed, self._rows, self._crew = rules, seed, rows, crew
        self._costs = Costs(penalties)
        self._positions = Positions(rules, int(n_bins.shape[0]) - len(one_hot), one_hot)
        #: Counts categories and makes bins of them: the crew, or the host's where the crew has no room.
        self._counting = counter.crew
        self._one_hot, self._counter = one_hot, counter
        self._static = Block.of_columns(rows, n_bins, len(one_hot), apart=self._costs.change)
        self._n_static = int(n_bins.shape[0])
        #: Combinations that did not compete, because a level had too many.
        self.left_out = 0
        singles = [(Projection((cat,)), counter.rows.of_column(cat)) for cat in counter.rows.statistic_columns]
        #: Of each column, in all permutations; one after the other, because every row may be a category of its own.
        self._singles = [counts for one in singles for counts in counter.count([one], range(self.permutations))]
        self._permutation = -1
        self._single_block: Block | None = None
        self._single_features: list[StatisticFeature] = []
        n_single = sum(len(counts.features) for counts in self._singles)
        self._single_blocks: Latest[int, Block] = Latest(
            max(1, SINGLE_BYTES // max(1, counter.order.most_rows * n_single))
        )
        per_row = max(1, counter.order.most_rows * max(1, len(counter.features_of(Projection((0, 1))))))
        self._most_kept = KEPT_BYTES // per_row
        self._cache: Latest[tuple[Projection, int], _Made] = Latest(CACHE_BYTES // per_row)
        beside = counter.order.most_rows * (_COMBINATION_ROW + _COMBINATION_COUNTS * counter.n_columns)
        self._together = max(1, CHUNK_BYTES // max(1, beside + per_row))
        self._chosen = Chosen(counter, self._singles, self._n_static)

    @property
    def statistics(self) -> dict[StatisticFeature, int]:
        """Numbers of the statistics that trees use, in the order in which they were chosen first."""
        return self._chosen.numbers

    @property
    def first_used(self) -> tuple[StatisticFeature, ...]:
        """See ``TreeFeatures``."""
        return tuple(self._chosen.first_used)

    @property
    def permutations(self) -> int:
        """How many there are."""
        return self._counter.order.permutations

    def permutation_of(self, tree: int) -> int:
        """Drawn by hash, but never the one for leaf values if there is another one."""
        draw = int(key_of(self._seed, Purpose.STRUCTURE_PERMUTATION, tree))
        return draw % self._counter.order.structures

    # ---- while a tree grows

    def begin_tree(self, tree: int) -> None:
        """Make the statistics of single columns in the permutation of the tree."""
        permutation = self.permutation_of(tree)
        self._candidates = list(self._single_features)
        # Numbers of the first features of projections: given when a tree first looks at them, whatever is kept of them.
        self._firsts: dict[Projection, int] = {}
        self._n_categories = {counts.projection: counts.known for counts in self._singles}
        self._penalised: list[int] = []
        self._single_block = self._single_blocks.get(permutation)
        if self._single_block is None and self._singles:
            self._candidates = []
            with self._crew.stage("categories"):
                self._single_block = self._block_of_singles(permutation)
            self._single_features = list(self._candidates)
            self._single_blocks.put(permutation, self._single_block)
        # Categories of each candidate that no tree has used yet, else 0.
        self._penalised = [self._penalty(feature) for feature in self._single_features]
        self._permutation = permutation
        self._combinations = Combinations(self._counter.rows, self._rules.max_complexity)
        self._listed: dict[Projection, Combination] = {}
        self._kept: list[tuple[Block, frozenset[Projection]]] = []
        self._blocks = 0

    def _block_of_singles(self, permutation: int) -> Block:
        """Statistics of single columns in a permutation."""
        edges = np.cumsum([0, *(len(counts.features) for counts in self._singles)]).tolist()
        bins = self._counting.empty((edges[-1], self._rows.n_rows), np.uint8)
        slices = [bins[first:stop] for first, stop in pairwise(edges)]
        made = self._counting.each(
            lambda one: self._made(one[0], permutation, one[1]), list(zip(self._singles, slices, strict=True))
        )
        return self._block("statistics", made, bins, stays=True)

    def of_level(self) -> Iterator[Block]:
        """Binned columns, statistics of single columns, and combinations; new ones as many at a time as there is memory for."""
        self._listed = {each.projection: each for each in self._combinations.listed()}
        yield self._static
        if self._single_block is not None:
            yield self._single_block
        # A block whose combinations are not all among the first ones any more is made anew of those that are.
        self._kept = [(block, made) for block, made in self._kept if made <= self._listed.keys()]
        yield from (block for block, _ in self._kept)
        known = {projection for _, made in self._kept for projection in made}
        new = [each for each in self._listed.values() if each.projection not in known]
        room = max(0, self._most_kept - len(known))
        # Those of a base come and go together.
        for _, of_base in groupby(new[:room], key=lambda each: id(each.base)):
            some = list(of_base)
            made = [one for chunk in chunks(some, self._together) for one in self._make(chunk)]
            self._blocks += 1
            block = self._block(f"combinations {self._blocks}", made, self._joined(made), stays=True)
            self._kept.append((block, frozenset(each.projection for each in some)))
            yield block
        for chunk in chunks(new[room:], self._together):
            made = self._make(chunk)
            yield self._block("more combinations", made, self._joined(made), stays=False)

    def _make(self, combinations: Sequence[Combination]) -> list[_Made]:
        """Bins of combinations in the permutation of the tree; those of columns alone may be known from earlier trees."""
        with self._crew.stage("categories"):
            return self._made_of(combinations, self._permutation)

    def _made_of(self, combinations: Sequence[Combination], permutation: int) -> list[_Made]:
        found = {each.projection: self._cache.get((each.projection, permutation)) for each in combinations}
        missing = [each for each in combinations if found[each.projection] is None]
        rows = self._counter.counted_rows
        codings = self._counting.each(lambda each: (each.projection, self._combinations.coding(each, rows)), missing)
        for made in self._counting.each(
            lambda counts: self._made(counts, 0), self._counter.count(codings, [permutation])
        ):
            found[made.projection] = made
            if not made.projection.float_splits and not made.projection.one_hot_splits:
                self._cache.put((made.projection, permutation), made)
        every = [made for made in found.values() if made is not None]
        self._n_categories.update({made.projection: made.n_categories for made in every})
        return every

    def _made(self, counts: Counts, place: int, out: Any = None) -> _Made:
        """Bins of a projection in a permutation, the ``place``-th of those that were counted; ``out`` is where to write them."""
        bins = self._counting.empty((len(counts.features), self._rows.n_rows), np.uint8) if out is None else out
        self._counter.learned_bins(counts, place, counts.features, bins)
        return _Made(counts.projection, counts.features, bins, counts.known)

    def _joined(self, made: Sequence[_Made]) -> Any:
        return self._counting.joined([each.bins for each in made])

    def _block(self, name: str, made: Sequence[_Made], bins: Any, *, stays: bool) -> Block:
        """Projections as candidates; ``bins`` are those of all of them."""
        first_of = [self._first_of(each) for each in made]
        firsts = np.array([first for first, each in zip(first_of, made, strict=True) for _ in each.features], np.int64)
        edges = [0]
        for each in made:
            edges += [edges[-1] + stop for stop in _family_ends(each.features)]
        return Block(
            name=name,
            numbers=firsts + np.array([place for each in made for place in range(len(each.features))], np.int64),
            rows=replace(self._rows, bins=self._crew.load_bins(bins)),
            stays=stays,
            n_bins=np.array([one.border_count + 1 for each in made for one in each.features], np.int64),
            equals=np.zeros(firsts.shape[0], np.uint8),
            draws=firsts.astype(np.uint64),
            families=tuple(edges),
        )

    def _first_of(self, made: _Made) -> int:
        """Number of the first feature of a projection, which all have in this tree."""
        first = self._firsts.get(made.projection)
        if first is None:
            first = self._firsts[made.projection] = self._n_static + len(self._candidates)
            self._candidates += made.features
            self._penalised += [self._penalty(feature) for feature in made.features]
        return first

    def _penalty(self, feature: StatisticFeature) -> int:
        used = self._chosen.is_used(feature.kind, feature.projection)
        return 0 if used else self._n_categories[feature.projection][feature.kind]

    def weighed(
        self, features: NDArray[np.int64], scores: NDArray[np.float64], before: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores × CatBoost's model_size_reg, and what their columns cost."""
        if not self._costs.change:
            weighed = scores * self._size_weights(features)
            return weighed, weighed
        columns = [self._columns_of(feature) for feature in features.tolist()]
        weighed = (scores - self._costs.first_uses(columns)) * self._size_weights(features)
        return weighed, self._costs.gains(weighed, before, columns)

    def _columns_of(self, feature: int) -> list[int]:
        if feature < self._n_static:
            return self._positions.of_static(feature)
        return self._positions.of_projection(self._candidates[feature - self._n_static].projection)

    def _size_weights(self, features: NDArray[np.int64]) -> NDArray[np.float64]:
        """CatBoost's model_size_reg (SelectBestCandidate): (1 + categories / most categories)^−reg where no tree used it."""
        statistics = features - self._n_static
        penalised = np.array([0, *self._penalised], np.float64)[np.maximum(statistics + 1, 0)]
        if not penalised.any():
            return np.ones(features.shape[0])
        known = [counts.known for counts in self._singles] + [self._n_categories[each] for each in self._listed]
        most = max(count for of_kind in known for count in of_kind.values())
        weights: NDArray[np.float64] = exp_array(-self._rules.model_size_reg * log_array(1.0 + penalised / most))
        return weights

    def choose(self, feature: int, border: int) -> TreeSplit:
        """Note a split."""
        self._costs.note(self._columns_of(feature))
        n_binned = self._n_static - len(self._one_hot)
        if feature < self._n_static:
            if feature < n_binned:
                self._combinations.split_float(feature, border)
            else:
                tested = self._one_hot[feature - n_binned]
                self._combinations.split_one_hot(tested.cat, tested.values[border])
            return TreeSplit(feature, border)
        return TreeSplit(self._note_use(self._candidates[feature - self._n_static]), border)

    def _column_of(self, feature: int, statistic: StatisticFeature) -> Any:
        """Bins of a statistic among the candidates: still there, or made anew."""
        blocks = [block for block, _ in self._kept]
        for block in blocks if self._single_block is None else [self._single_block, *blocks]:
            places = np.flatnonzero(block.numbers == feature)
            if places.shape[0]:
                return block.rows.bins[int(places[0]), :]
        (made,) = self._make([self._listed[statistic.projection]])
        return self._crew.load(made.bins[made.features.index(statistic)])

    def _note_use(self, statistic: StatisticFeature) -> int:
        for number, other in enumerate(self._candidates):
            # The candidates of a projection have one object for it.
            if other.projection is statistic.projection and other.kind == statistic.kind:
                self._penalised[number] = 0
        combination = self._listed.get(statistic.projection)
        self._combinations.use(statistic.projection, combination)
        return self._chosen.use(
            statistic, None if combination is None else partial(self._combinations.coding, combination)
        )

    def column(self, feature: int) -> Any:
        """Bins of a candidate in the permutation of the tree."""
        if feature < self._n_static:
            return self._rows.bins[feature, :]
        return self._column_of(feature, self._candidates[feature - self._n_static])

    def is_one_hot(self, feature: int) -> bool:
        """Whether a feature is one-hot."""
        return self._n_static - len(self._one_hot) <= feature < self._n_static

    # ---- a tree that was grown before

    def replay(self, step: Step) -> None:
        """See ``TreeFeatures``; combinations are made of the columns and splits that they are known by, and counted anew."""
        self._permutation = 0  # nothing is chosen, so any one does
        self._combinations = Combinations(self._counter.rows, self._rules.max_complexity)
        self.left_out += step.left_out
        for statistic in step.statistics:
            self._chosen.number(statistic)
        statistics = list(self._chosen.numbers)
        kept = {split.feature for split in step.tree.splits}
        for feature in (split.feature for split in step.chosen):
            if feature < self._n_static:
                self._costs.note(self._positions.of_static(feature))
                continue
            statistic = statistics[feature - self._n_static]
            self._costs.note(self._positions.of_projection(statistic.projection))
            coding = partial(self._combinations.coding_alone, statistic.projection) if feature in kept else None
            self._chosen.use(statistic, coding)
        self._chosen.count()

    def replayed_column(self, feature: int) -> Any:
        """See ``TreeFeatures``."""
        return self._learned_column(self._permutation, feature)

    # ---- once it has grown

    def leaves(self, tree: Tree, leaf_of_row: NDArray[np.uint16], permutation: int) -> NDArray[np.uint16]:
        """Leaves in a permutation; those of the structure where no statistic was chosen."""
        self._chosen.count()
        if permutation == self._permutation or all(split.feature < self._n_static for split in tree.splits):
            return leaf_of_row
        crew = self._crew
        leaves: NDArray[np.uint16] = crew.scratch.array(
            f"leaf of row in {permutation}", (self._rows.n_rows,), np.uint16
        )
        find_leaves(tree, partial(self._learned_column, permutation), self.is_one_hot, leaves, crew)
        return leaves

    def _learned_column(self, permutation: int, number: int) -> Any:
        if number < self._n_static:
            return self._rows.bins[number, :]
        return self._crew.load(self._chosen.learned(number, permutation))

    def applied_column(self, feature: int, number: int, rows: Rows) -> Any:
        """Bins of the rows of an eval set, as the model will have them."""
        if feature < self._n_static:
            return rows.bins[feature, :]
        return self._crew.load(self._chosen.applied(feature, number))

    def end_tree(self) -> None:
        """Let go of the counts of a tree."""
        self.left_out += self._combinations.left_out
        self._chosen.end_tree()

    def model_part(self, trees: Sequence[Tree]) -> CategoricalPart:
        """One-hot features, statistics, and on rank 0 the tables of those that the trees use."""
        used = {split.feature for tree in trees for split in tree.splits}
        needed = [each for each, number in self._chosen.numbers.items() if number in used]
        positions = tuple(column.position for column in self._rules.columns)
        return CategoricalPart(positions, self._one_hot, tuple(self._chosen.numbers), self._counter.tables(needed))


def _family_ends(features: Sequence[StatisticFeature]) -> list[int]:
    """Where features of a kind end, of the features of a projection."""
    kinds = [feature.kind for feature in features]
    return [end for end in range(1, len(kinds) + 1) if end == len(kinds) or kinds[end] != kinds[end - 1]]
