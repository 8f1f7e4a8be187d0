"""Data sets that are quantized once and trained on many times, with columns left out; and looked at in between."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from distributed import Client

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import Listener
from gbdist.boosting.lockstep import LockstepResult
from gbdist.elimination.losses import Measure
from gbdist.elimination.ranks import Eliminated, Question, eliminate
from gbdist.estimators import local_run
from gbdist.estimators.clusters import ready_workers, resolve_client
from gbdist.estimators.elimination_gang import eliminate_on_gang, setup_of_set
from gbdist.estimators.gang_run import require_same_borders
from gbdist.estimators.listeners import callback_listener, tell_columns
from gbdist.estimators.on_board import label_of, tell_about, tell_end
from gbdist.estimators.outcome import TrainResult, finish
from gbdist.estimators.parameters.objects import is_object
from gbdist.estimators.placing import choice, require_room_to_send, run_shape
from gbdist.estimators.preparation.pipeline import quantize_sets
from gbdist.estimators.preparation.quantized import QuantizedSet
from gbdist.estimators.preparation.regroup import settled
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.ranked_rows import ready_rows
from gbdist.estimators.request import Request
from gbdist.estimators.setup import Setup
from gbdist.estimators.sources import pairs_in
from gbdist.estimators.training import look_for_gpus, set_up_sets
from gbdist.estimators.training_gang import GangOrder, boost_on_gang
from gbdist.quantize.borders import FeatureBorders
from gbdist.quantize.cells import borders_in
from gbdist.quantize.merge_surveys import DataSurvey
from gbdist_cluster.monitor.reporting import reported

#: What decides when a fit stops may be another metric than that of its loss.
_METRICS = ("eval_metric", "custom_metric")


class RepeatedFits(ABC):
    """Data sets of one request, on histograms; everything about them is checked when it is made, before anything is trained."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._surveys: list[DataSurvey] = []

    @property
    @abstractmethod
    def borders(self) -> tuple[FeatureBorders, ...]:
        """Of each column that is binned."""

    @abstractmethod
    def fit(self, parameters: Mapping[str, object], listener: Listener | None, callbacks: Any) -> TrainResult:
        """Train with other parameters than before; those about the cells must be the same."""

    @abstractmethod
    def eliminate(self, question: Question) -> Eliminated:
        """Look at the first eval set, or without any at the training set."""

    @property
    def looked_at(self) -> int:
        """Number of the data set that is looked at."""
        return min(1, self._request.n_evals)

    @property
    def measure(self) -> Measure:
        """How the loss is measured: by the metric that CatBoost follows it by; of an object by the eval metric."""
        parameters = dict(self._request.parameters)
        if not is_object(parameters.get("loss_function")):
            parameters = {name: value for name, value in parameters.items() if name not in _METRICS}
        params = self._set_up(parameters).on_histograms.params
        return Measure(params.objective, params.metrics[0])

    def _set_up(self, parameters: Mapping[str, object]) -> Setup:
        return set_up_sets(replace(self._request, parameters=parameters), self._surveys)

    def _asked(self, parameters: Mapping[str, object], listener: Listener | None, callbacks: Any) -> Request:
        return replace(self._request, parameters=parameters, listener=listener, callbacks=callback_listener(callbacks))


class FitsHere(RepeatedFits):
    """In this process."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        look_for_gpus(request)
        sets = local_run.survey_here(request.sources)
        self._surveys = [data.survey for data in sets]
        self._setup = self._set_up(request.parameters)
        self._borders = borders_in(local_run.encodings_here(sets[0], request.cuts()))
        self._rows = [
            local_run.rows_here(data, self._borders, None, self._setup, number) for number, data in enumerate(sets)
        ]

    @property
    def borders(self) -> tuple[FeatureBorders, ...]:
        """See ``RepeatedFits``."""
        return self._borders

    def fit(self, parameters: Mapping[str, object], listener: Listener | None, callbacks: Any) -> TrainResult:
        """See ``RepeatedFits``."""
        request, setup = self._asked(parameters, listener, callbacks), self._set_up(parameters)
        asks, pairs = request.callbacks is not None, pairs_in(request.groups)
        result = local_run.boost_here(self._rows, self._borders, setup, request.listeners, asks, pairs)
        return finish(request, setup, result, self._borders)

    def eliminate(self, question: Question) -> Eliminated:
        """See ``RepeatedFits``."""
        setup, number, alone = setup_of_set(self._setup, self.looked_at), self.looked_at, SingleRank()
        rows = [self._rows[number]]
        if setup.ranked is not None:
            rows = ready_rows(rows, setup.ranked, pairs_in(self._request.groups[number : number + 1]), alone)
        return eliminate(rows[0], question, alone, local_run.params_here(setup, rows[0], False).threads)


class FitsOnGang(RepeatedFits):
    """On the workers of a cluster; pools that were given stay as they are, all else is let go of by ``close``."""

    def __init__(self, request: Request, client: Any) -> None:
        super().__init__(request)
        pool = request.pool
        request.refuse_disk([one for one in (pool, *(each for _, each in request.eval_pools)) if one is not None])
        self._client: Client = resolve_client(client) if pool is None else pool.client
        self._scope = FutureScope()
        self._made: list[QuantizedSet] = []
        if pool is not None:
            pool.settle()
        try:
            self._made = self._quantized()
            self._sets = request.of_sets(self._made, lambda one: one.data)
            for name, data in zip(request.names(), self._sets, strict=True):
                require_same_borders(name, data, self._sets[0])
        except BaseException:
            self.close()
            raise

    def _quantized(self) -> list[QuantizedSet]:
        """What has to be quantized, once all is checked."""
        request, pool, client = self._request, self._request.pool, self._client
        workers = ready_workers(client)
        addresses = [worker.address for worker in workers] if pool is None else list(pool.data.members)
        cards = look_for_gpus(request, client, addresses)
        if not request.sources:
            self._check([])
            return []
        wanted = request.bins_on_disk
        if pool is not None:
            return quantize_sets(
                client, request.sources, addresses, pool.known, check=self._check, cards=cards, on_disk=wanted
            )
        require_room_to_send(request.sources[0].parts, workers, wanted, may_be_on_disk=request.may_be_on_disk)
        rules = request.cuts()
        choose = choice(
            wanted,
            lambda n_features: run_shape(self._setup, n_features, rules.most_borders),
            rules.cells,
            may_be_on_disk=request.may_be_on_disk,
        )
        return quantize_sets(
            client, request.sources, addresses, rules, check=self._check, cards=cards, on_disk=wanted, choose=choose
        )

    def _check(self, surveys: Sequence[DataSurvey]) -> None:
        """Take the facts of what is about to be quantized, and check all parameters against those of all sets."""
        self._surveys = self._request.of_sets(surveys, lambda one: one.data.survey)
        self._setup = self._set_up(self._request.parameters)

    @property
    def borders(self) -> tuple[FeatureBorders, ...]:
        """See ``RepeatedFits``."""
        return self._sets[0].borders

    def fit(self, parameters: Mapping[str, object], listener: Listener | None, callbacks: Any) -> TrainResult:
        """See ``RepeatedFits``."""
        request, setup = self._asked(parameters, listener, callbacks), self._set_up(parameters)
        self._settle()
        with reported(self._client, label_of(request)) as report:
            tell_about(report, request, setup)
            order = GangOrder(setup, request.heard(), request.asks, pairs_in(request.groups), report=report)
            result = boost_on_gang(self._client, self._sets, order)
            tell_end(report, result)
        if isinstance(result, LockstepResult):
            raise TypeError("folds were not asked for")
        return finish(request, setup, result, self._sets[0].borders)

    def eliminate(self, question: Question) -> Eliminated:
        """See ``RepeatedFits``."""
        self._settle()
        number = self.looked_at
        pairs = pairs_in(self._request.groups[number : number + 1])
        return eliminate_on_gang(self._client, self._sets[number], number, self._setup, pairs, question)

    def _settle(self) -> None:
        """Level the rows over the workers that there are now, if any that held some has left: runs do so for themselves alone."""
        self._sets = settled(self._client, self._sets, ready_workers(self._client), self._scope)

    def close(self) -> None:
        """Let go of all that was made here."""
        self._scope.drop(self._scope.held)
        for data in self._made:
            data.release()


@contextmanager
def repeated_fits(request: Request, client: Any) -> Iterator[RepeatedFits]:
    """Data sets, quantized: where ``fit`` would train, in this process or on the cluster of ``client`` (as of ``train``)."""
    if request.pool is None and request.columns.by_type:
        tell_columns(request.listener, [request.feature_names[position] for position, _ in request.unbinned])
    if request.pool is None and not request.eval_pools and local_run.trains_here(request.sources):
        yield FitsHere(request)
        return
    fits = FitsOnGang(request, client)
    try:
        yield fits
    finally:
        fits.close()
