"""Target statistics of a rank's rows: counts of a projection's categories, and the bins that they become."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gbdist.boosting.collective import Collective
from gbdist.boosting.crew import Crew
from gbdist.categories.coding import Coding, Names
from gbdist.categories.counting import Answer, add_up, gather_totals
from gbdist.categories.named import Counted
from gbdist.categories.order import Passes, RowOrder
from gbdist.categories.rows import CategoricalRows
from gbdist.categories.rules import CategoryRules
from gbdist.categories.values import rule_of
from gbdist.models.statistics import Projection, StatisticFeature, StatisticTable

Item = TypeVar("Item")

#: Rows of a rank, times projections, whose tables are made together.
_TABLE_ROWS = 1 << 20
_NONE = np.empty(0, np.bool_)


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of a projection: the categories of this rank's rows, and what all ranks counted of them; where the crew counts.

    Parameters
    ----------
    projection : Projection
    features : tuple of StatisticFeature
        What is made of it.
    coding : Coding
    passes : Passes
        In the permutations that were counted.
    earlier : int32 [n_visits, n_own_runs, n_counted, n_columns]
        Rows of the runs that a permutation visits before, of the categories of all projections that were counted together.
    some : slice
        The categories of this projection among them.
    totals : int32 [n_categories, n_columns]
    known : dict of str to int
        How many categories all ranks have, by kind of statistic.
    largest : int
        Rows of the most frequent one.
    dropped : bool [n_categories] or None
        Categories that count as never met (see ``counting.Answer``).
    """

    projection: Projection
    features: tuple[StatisticFeature, ...]
    coding: Coding
    passes: Passes
    earlier: Any
    some: slice
    totals: Any
    known: dict[str, int]
    largest: int
    dropped: Any


@dataclass(frozen=True, eq=False)
class _Plan:
    """Which of a projection's features are counters, and what ``learn_bins`` must know of the others."""

    counters: list[int]
    rules: tuple[NDArray[np.int64], NDArray[np.float32]]


class StatisticCounter:
    """Counts projections over the training rows of all ranks.

    Parameters
    ----------
    rows : this rank's rows
    classes : uint8 [n_train], of the training rows
    n_classes : how many there are, 1 at least
    order : of the training rows of all ranks
    n_named : rows of all sets of all ranks, whose categories may be counted together
    collective : the ranks

    The crew that counts is that of ``rows``.
    """

    def __init__(
        self,
        rules: CategoryRules,
        rows: CategoricalRows,
        classes: NDArray[np.uint8],
        n_classes: int,
        order: RowOrder,
        n_named: int,
        collective: Collective,
    ) -> None:
        self._rules, self.rows, self._n_classes = rules, rows, n_classes
        self.order, self._n_named, self._collective, self.crew = order, n_named, collective, rows.crew
        self._classes = {crew: crew.load(classes) for crew in (self.crew.host, self.crew)}
        #: Classes of training rows, and one for the rows of eval sets if counters count these.
        self.n_columns = n_classes + int(rules.counts_evals)
        self._plans: dict[tuple[tuple[str, int, float, int], ...], _Plan] = {}

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
        """Count projections, all of them at once; ``earlier`` is in the order of ``permutations``.

        Codings are of ``counted_rows``, or of all rows.
        """
        if not codings:
            return []
        passes = self.order.passes(permutations)
        counted = self._counted(codings, passes, self.crew)
        answer = add_up(counted, passes, self._n_named, self._collective, self.crew)
        return [self._of_projection(*one, passes, counted, answer, number) for number, one in enumerate(codings)]

    def _of_projection(
        self, projection: Projection, coding: Coding, passes: Passes, counted: Counted, answer: Answer, number: int
    ) -> Counts:
        some = slice(int(counted.edges[number]), int(counted.edges[number + 1]))
        n_trained, n_counted, largest = answer.facts[number].tolist()
        features = self.features_of(projection)
        return Counts(
            projection=projection,
            features=features,
            coding=coding,
            passes=passes,
            earlier=answer.earlier,
            some=some,
            totals=answer.totals[some],
            known={each.kind: n_counted if each.kind == "Counter" else n_trained for each in features},
            largest=largest,
            dropped=None if answer.dropped is None else answer.dropped[some],
        )

    def _counted(
        self, codings: Sequence[tuple[Projection, Coding]], passes: Passes, crew: Crew, *, by_model_keys: bool = False
    ) -> Counted:
        """Rows of each category in each of this rank's runs, counted by a crew, where the codings are.

        Rows of eval sets that are counted are a class of their own in the first run.
        """
        limits = tuple(self._limit(projection) for projection, _ in codings)
        edges = np.cumsum([0, *(coding.n_categories for _, coding in codings)])
        runs = passes.runs_of(self._collective.rank)
        counts = crew.zeros((len(runs), int(edges[-1]), self.n_columns), np.int32)
        classes, count_classes = self._classes[crew], crew.kernels.count_classes

        def count(number: int) -> Names:
            projection, coding = codings[number]
            some = slice(int(edges[number]), int(edges[number + 1]))
            for run in runs:
                rows = slice(run.start, run.stop)
                count_classes(coding.codes[rows], classes[rows], counts[run.place, some])
            if self._rules.counts_evals:
                rest = coding.codes[classes.shape[0] :]
                of_rest = crew.load(np.full(rest.shape[0], self._n_classes, np.uint8))
                count_classes(rest, of_rest, counts[0, some])
            # With a limit equally frequent categories are told apart by the keys that a model has.
            if by_model_keys or limits[number] is not None:
                return Names(self.rows.model_keys(projection, coding.firsts(crew)))
            return coding.names

        names = crew.each(count, range(len(codings)))
        return Counted(tuple(names), edges, counts, limits, self._n_classes)

    def _limit(self, projection: Projection) -> int | None:
        """How many categories of a projection are told apart, None for all."""
        free = self._rules.limit_combinations_only and projection.complexity == 1
        return None if free else self._rules.leaf_count_limit

    def learned_bins(
        self,
        counts: Counts,
        number: int,
        features: Sequence[StatisticFeature],
        out: Any,
    ) -> None:
        """Write bins of the training rows: each row's from the rows before it in a permutation, but for counters.

        ``number`` is the place of the permutation among those that were counted; ``out`` is uint8 [n_features, n_train], OUT.
        """
        plan, classes = self._plan_of(features), self._classes[self.crew]
        for i in plan.counters:
            self.applied_bins(counts, self.rows.slices[0], features[i], out[i])
        if len(plan.counters) == len(features):
            return
        backwards = counts.passes.visits[number].backwards
        dropped = _NONE if counts.dropped is None else counts.dropped
        for run in counts.passes.runs_of(self._collective.rank):
            some, before = slice(run.start, run.stop), counts.earlier[number, run.place, counts.some]
            rows = (counts.coding.codes[some], classes[some], backwards)
            self.crew.kernels.learn_bins(rows, run.start, before, dropped, self._n_classes, plan.rules, out)

    def _plan_of(self, features: Sequence[StatisticFeature]) -> "_Plan":
        """How bins of some features are written; those of most projections are made alike."""
        key = tuple((one.kind, one.target_border, one.prior, one.border_count) for one in features)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make_plan(features)
        return plan

    def _make_plan(self, features: Sequence[StatisticFeature]) -> "_Plan":
        others = [i for i, feature in enumerate(features) if feature.kind != "Counter"]
        rules = [rule_of(features[i]) for i in others]
        wholes = [(*self._good(features[i]), rule[3], i) for i, rule in zip(others, rules, strict=True)]
        return _Plan(
            counters=[i for i, feature in enumerate(features) if feature.kind == "Counter"],
            rules=(np.array(wholes, np.int64), np.array([rule[:3] for rule in rules], np.float32)),
        )

    def _good(self, feature: StatisticFeature) -> tuple[int, int]:
        """The first class that a feature counts, and the one after the last."""
        if feature.kind == "Buckets":
            return feature.target_border, feature.target_border + 1
        return feature.target_border + 1, self._n_classes

    def applied_bins(self, counts: Counts, rows: slice, feature: StatisticFeature, out: Any) -> None:
        """Write bins of rows from the counts of all training rows, as the model has them; uint8 [n], OUT."""
        totals, crew, kernels = counts.totals, self.crew, self.crew.kernels
        n_categories, n_columns = totals.shape
        good, bins = crew.empty((n_categories,), np.int32), crew.empty((n_categories,), np.uint8)
        if feature.kind == "Counter":
            kernels.add_classes(totals, 0, n_columns, good)
            total = crew.load(np.full(n_categories, counts.largest, np.int32))
        else:
            total = crew.empty((n_categories,), np.int32)
            kernels.add_classes(totals, 0, self._n_classes, total)
            kernels.add_classes(totals, *self._good(feature), good)
        kernels.statistic_bins(good, total, rule_of(feature), bins)
        kernels.take_bins(counts.coding.codes[rows], bins, out)

    def tables(self, features: Sequence[StatisticFeature]) -> tuple[StatisticTable, ...]:
        """Tables that a model needs for some features; on rank 0, to which each owner sends its share."""
        counters = {feature.projection for feature in features if feature.kind == "Counter"}
        others = {feature.projection for feature in features if feature.kind != "Counter"}
        tables: list[StatisticTable] = []
        passes = self.order.passes([0])
        for projections in chunks(sorted(counters | others), max(1, _TABLE_ROWS // max(1, self.order.most_rows))):
            codings = [(each, self.rows.categories(each, self.counted_rows)) for each in projections]
            counted = self._counted(codings, passes, self.crew.host, by_model_keys=True)
            whole = gather_totals(counted, self._collective)
            if whole is None:
                continue
            for number, projection in enumerate(projections):
                some = slice(int(whole.edges[number]), int(whole.edges[number + 1]))
                keys, counts = whole.names[number].values, whole.counts[0, some].astype(np.int64)
                if projection in others:
                    trained = counts[:, : self._n_classes]
                    known = trained.any(axis=1)
                    tables.append(StatisticTable(projection, False, keys[known], trained[known]))
                if projection in counters:
                    tables.append(StatisticTable(projection, True, keys, counts.sum(axis=1, keepdims=True)))
        return tuple(tables)


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Runs of at most ``size`` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
