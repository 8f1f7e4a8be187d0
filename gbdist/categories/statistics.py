"""Target statistics of a rank's rows: counts of a projection's categories, and the bins that they become."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.categories.coding import Coding
from gbdist.categories.counting import Answer, Counted, add_up, gathered, totals_by_owner
from gbdist.categories.order import RowOrder
from gbdist.categories.rows import CategoricalRows
from gbdist.categories.rules import CategoryRules
from gbdist.categories.values import rule_of
from gbdist.kernels.cpu_categories import count_classes, learn_bins, statistic_bins, take_bins
from gbdist.models.statistics import Projection, StatisticFeature, StatisticTable

_NONE = np.empty(0, np.bool_)


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of a projection: the categories of this rank's rows, and what all ranks counted of them."""

    projection: Projection
    coding: Coding
    answer: Answer


class StatisticCounter:
    """Counts projections over the training rows of all ranks.

    Parameters
    ----------
    rows : this rank's rows
    classes : uint8 [n_train], of the training rows
    n_classes : how many there are, 1 at least
    order : of the training rows of all ranks
    """

    def __init__(
        self,
        rules: CategoryRules,
        rows: CategoricalRows,
        classes: NDArray[np.uint8],
        n_classes: int,
        order: RowOrder,
        collective: Collective,
        crew: Crew,
    ) -> None:
        self._rules, self.rows, self._classes, self._n_classes = rules, rows, classes, n_classes
        self.order, self._collective, self._crew = order, collective, crew
        #: Classes of training rows, and one for the rows of eval sets if counters count these.
        self._n_columns = n_classes + int(rules.counts_evals)
        self._runs = [order.runs[number] for number in order.runs_of(collective.rank)]

    def features_of(self, projection: Projection) -> tuple[StatisticFeature, ...]:
        """Features that are made of a projection (CatBoost's GetTargetBorderCount: of each border of the target, and prior)."""
        single = len(projection.cats) == 1 and projection.complexity == 1
        rules = self._rules.rules_for(projection.cats[0]) if single else self._rules.combined
        n_borders = {"Borders": self._n_classes - 1, "Buckets": self._n_classes, "Counter": 1}
        return tuple(
            StatisticFeature(projection, rule.kind, border, prior, rule.border_count)
            for rule in rules
            for border in range(n_borders[rule.kind])
            for prior in rule.priors
        )

    @property
    def counted_rows(self) -> slice:
        """Rows whose categories are counted: the training rows, and those of eval sets if counters count these too."""
        return slice(0, self.rows.n_rows) if self._rules.counts_evals else self.rows.slices[0]

    def count(self, codings: Sequence[tuple[Projection, Coding]], permutations: Sequence[int]) -> list[Counts]:
        """Count projections, all of them in two rounds; ``answer.earlier`` is in the order of ``permutations``.

        Codings are of ``counted_rows``, or of all rows.
        """
        counted = self._crew.host.each(lambda one: self._counted(*one), codings)
        visits = [self.order.visits[number] for number in permutations]
        answers = add_up(counted, visits, self.order, self._collective)
        return [Counts(*one, answer) for one, answer in zip(codings, answers, strict=True)]

    def _counted(self, projection: Projection, coding: Coding) -> Counted:
        """Rows of each category in each of this rank's runs; eval rows that are counted are a class of their own in the first."""
        limit = self._limit(projection)
        # With a limit equally frequent categories are told apart by the keys that a model has.
        keys = coding.keys if limit is None else self.rows.model_keys(projection, coding.firsts())
        counts = np.zeros((len(self._runs), coding.n_categories, self._n_columns), np.int32)
        for run, of_run in zip(self._runs, counts, strict=True):
            rows = slice(run.start, run.stop)
            count_classes(coding.codes[rows], self._classes[rows], of_run)
        if self._rules.counts_evals:
            rest = coding.codes[self._classes.shape[0] :]
            count_classes(rest, np.full(rest.shape[0], self._n_classes, np.uint8), counts[0])
        return Counted(keys, counts, coding.edges, limit, self._n_classes if self._rules.counts_evals else None)

    def _limit(self, projection: Projection) -> int | None:
        """How many categories of a projection are told apart, None for all."""
        free = self._rules.limit_combinations_only and projection.complexity == 1
        return None if free else self._rules.leaf_count_limit

    def learned_bins(
        self,
        counts: Counts,
        number: int,
        permutation: int,
        features: Sequence[StatisticFeature],
        out: NDArray[np.uint8],
    ) -> None:
        """Write bins of the training rows: each row's from the rows before it in a permutation, but for counters.

        ``number`` is the place of ``permutation`` among those that were counted; ``out`` is uint8 [n_features, n_train], OUT.
        """
        others = []
        for i, feature in enumerate(features):
            if feature.kind == "Counter":
                self.applied_bins(counts, self.rows.slices[0], feature, out[i])
            else:
                others.append(i)
        if not others:
            return
        together = len(others) == others[-1] + 1  # the first ones: their bins lie side by side
        bins = out[: len(others)] if together else np.empty((len(others), out.shape[1]), np.uint8)
        rules = self._rules_of([features[i] for i in others])
        backwards = self.order.visits[permutation].backwards
        dropped = _NONE if counts.answer.dropped is None else counts.answer.dropped
        for place, run in enumerate(self._runs):
            some = slice(run.start, run.stop)
            so_far = counts.answer.earlier[number, place].copy()
            rows = (counts.coding.codes[some], self._classes[some], backwards)
            learn_bins(rows, run.start, so_far, dropped, self._n_classes, rules, bins)
        if not together:
            out[others] = bins

    def _rules_of(self, features: Sequence[StatisticFeature]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """What ``learn_bins`` must know of features."""
        wholes, numbers = [], []
        for feature in features:
            prior, shift, scale, n_borders = rule_of(feature)
            wholes.append((*self._good(feature), n_borders))
            numbers.append((prior, shift, scale))
        return np.array(wholes, np.int64), np.array(numbers, np.float32)

    def _good(self, feature: StatisticFeature) -> tuple[int, int]:
        """The first class that a feature counts, and the one after the last."""
        if feature.kind == "Buckets":
            return feature.target_border, feature.target_border + 1
        return feature.target_border + 1, self._n_classes

    def applied_bins(self, counts: Counts, rows: slice, feature: StatisticFeature, out: NDArray[np.uint8]) -> None:
        """Write bins of rows from the counts of all training rows, as the model has them; uint8 [n], OUT."""
        totals = counts.answer.totals
        bins = np.empty(totals.shape[0], np.uint8)
        if feature.kind == "Counter":
            good = _add_columns(totals)
            total = np.full_like(good, counts.answer.largest)
        else:
            total = _add_columns(totals[:, : self._n_classes])
            first, stop = self._good(feature)
            good = _add_columns(totals[:, first:stop])
        statistic_bins(good, total, rule_of(feature), bins)
        take_bins(counts.coding.codes[rows], bins, out)

    def tables(self, features: Sequence[StatisticFeature]) -> tuple[StatisticTable, ...]:
        """Tables that a model needs for some features; on rank 0, to which each owner sends its share."""
        counters = {feature.projection for feature in features if feature.kind == "Counter"}
        others = {feature.projection for feature in features if feature.kind != "Counter"}
        tables: list[StatisticTable] = []
        for projection in sorted(counters | others):
            table = self._gathered(projection)
            if table is None:
                continue
            counts = table.counts[0].astype(np.int64)
            if projection in others:
                trained = counts[:, : self._n_classes]
                known = trained.any(axis=1)
                tables.append(StatisticTable(projection, False, table.keys[known], trained[known]))
            if projection in counters:
                tables.append(StatisticTable(projection, True, table.keys, counts.sum(axis=1, keepdims=True)))
        return tuple(tables)

    def _gathered(self, projection: Projection) -> Counted | None:
        """Counts of all categories by their keys in a model; None but on rank 0."""
        coding = self.rows.categories(projection, self.counted_rows)
        counted = self._counted(projection, coding)
        keys = self.rows.model_keys(projection, coding.firsts())
        counts = counted.counts.sum(axis=0, keepdims=True, dtype=np.int32)
        whole = Counted(keys, counts, coding.edges, counted.limit)
        return gathered(totals_by_owner(whole, self._collective), self._collective)


def _add_columns(counts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sum of the columns of counts, int32 [n, k]; quicker than NumPy's for few of them."""
    total = np.ascontiguousarray(counts[:, 0]).copy()
    for column in range(1, counts.shape[1]):
        total += counts[:, column]
    return total
