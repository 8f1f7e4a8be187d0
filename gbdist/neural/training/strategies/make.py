"""From a run's parameters to its strategy, and to where a run begins."""

from functools import partial

from gbdist.boosting.collective import Collective
from gbdist.errors import ParameterError
from gbdist.neural.network.arrays import NUMPY, card_arrays
from gbdist.neural.network.network import Network
from gbdist.neural.network.numbers import held_dtype
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.compression import make_exchange
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.precision import loss_scale
from gbdist.neural.training.state import Progress
from gbdist.neural.training.strategies.asynchronous import Asynchronous
from gbdist.neural.training.strategies.base import Strategy
from gbdist.neural.training.strategies.local import Local
from gbdist.neural.training.strategies.parts import strategy_of_parts
from gbdist.neural.training.strategies.sync import Sync


def strategy_of(params: TrainParams, collective: Collective, spec: NetworkSpec, share: float) -> Strategy:
    """The strategy of a run on one rank, which has that share of all rows; every rank makes its own."""
    kind = params.strategy.kind
    arrays = NUMPY if params.card is None else card_arrays(params.card.number)
    network = Network(spec, params.precision, arrays)
    if kind == "sync" or (kind in ("local", "async") and collective.size == 1):
        return Sync(network, params, make_exchange(params.strategy, collective))
    if kind == "async":
        return Asynchronous(network, params, collective)
    if kind == "local":
        return Local(network, params, collective, share)
    if kind in ("pipeline", "tensor"):
        return strategy_of_parts(network, params, collective, partial(make_exchange, params.strategy))
    raise ParameterError("strategy", kind, "'sync', 'local', 'async', 'pipeline' or 'tensor'", "Choose one of them.")


def initial_progress(spec: NetworkSpec, params: TrainParams) -> Progress:
    """A network before its first step: with the parameters of ``params.seed``, the same on every rank."""
    flat = Network(spec).initial(params.seed).astype(held_dtype(params.precision))
    return Progress(flat, scale=loss_scale(params.precision).value)
