"""The strategy of a rank that shares a network with others: "pipeline" or "tensor", and "sync" between the groups."""

from collections.abc import Callable

from gbdist.boosting.collective import Collective
from gbdist.neural.network.network import Network
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.strategies.base import Exchange, Strategy
from gbdist.neural.training.strategies.groups import grouped, most_parts
from gbdist.neural.training.strategies.pipeline import Pipeline
from gbdist.neural.training.strategies.spread import AgreedSums, PartLearner, Spread
from gbdist.neural.training.strategies.sync import Sync
from gbdist.neural.training.strategies.tensor import Tensor


def strategy_of_parts(
    network: Network,
    params: TrainParams,
    collective: Collective,
    exchange_of: Callable[[Collective], Exchange],
) -> Strategy:
    """See the module. A gang that cannot be cut into groups trains as with "sync"; costs no message.

    Parameters
    ----------
    network : Network
        The whole one, alike on all ranks.
    exchange_of : how the gradients of one part are added up over the ranks that hold it
    """
    how, rank = params.strategy, collective.rank
    groups = grouped(collective.size, how.model_ranks, most_parts(how.kind, network.spec))
    if groups.parts == 1:
        return Sync(network, params, exchange_of(collective))
    group = collective.subset(groups.members(rank))
    learner: PartLearner = (
        Pipeline(network, group, how.micro_batches) if how.kind == "pipeline" else Tensor(network, group)
    )
    exchange = exchange_of(collective.subset(groups.peers(rank)))
    if params.precision == "fp16":
        exchange = AgreedSums(exchange, group)
    return Spread(Sync(learner, params, exchange, learner.answers_for), learner, group)
