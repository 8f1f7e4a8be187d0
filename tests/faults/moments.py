"""The moments of a fit at which faults can strike, and what is wrapped for each.

A name of the table is what tests say; ``where`` is "module:name" of a function or method that is looked up when it is called,
so that whoever imported it before meets the wrapper too. ``test_moments.py`` fails where one is gone, or is never reached.
"""

from dataclasses import dataclass
from typing import Literal

Side = Literal["task", "rank", "client"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Just before, or just ``after``, a function is called: in a task of the preparation, in a rank, or in the client."""

    where: str
    side: Side
    after: bool = False


_TASKS = "gbdist.estimators.preparation.tasks"
_RANKS = "gbdist_cluster.ranks"
_COLLECTIVE = "gbdist_cluster.collective"
_RUN = "gbdist.boosting.run"

MOMENTS = {
    # Preparation: Dask's tasks, before there is a gang.
    "survey": Moment(f"{_TASKS}:_survey_one", "task"),
    "sample": Moment(f"{_TASKS}:sample_rows", "task"),
    "choice of borders": Moment(f"{_TASKS}:_joined", "task"),
    "quantize": Moment(f"{_TASKS}:fill_arena", "task"),
    "quantized": Moment(f"{_TASKS}:fill_arena", "task", after=True),
    "shards made": Moment("gbdist.estimators.run_gang:run_on_gang", "client"),
    # A gang meets.
    "rank starts": Moment(f"{_RANKS}:_Run.check_wanted", "rank"),
    "wait for go": Moment(f"{_RANKS}:_Run.wait_for_go", "rank"),
    "join": Moment(f"{_COLLECTIVE}.comm:CommCollective.join", "rank"),
    "joined": Moment(f"{_COLLECTIVE}.comm:CommCollective.join", "rank", after=True),
    "begin": Moment(f"{_RUN}:start_value", "rank"),
    # What came before is known again, after a loss.
    "steps agreed": Moment("gbdist.estimators.gang_run:agreed_steps", "rank", after=True),
    "replay": Moment(f"{_RUN}:replay", "rank"),
    # A tree grows.
    "derivatives": Moment("gbdist.boosting.derivatives:Derivatives.survey", "rank"),
    "histogram": Moment("gbdist.boosting.histogram:HistogramSource._counted", "rank"),
    "leaves": Moment("gbdist.boosting.leaves:LeafEstimator.estimate", "rank"),
    "all_reduce": Moment(f"{_COLLECTIVE}.choice:ChannelCollective.all_reduce", "rank"),
    "reduce_scatter": Moment(f"{_COLLECTIVE}.choice:ChannelCollective.reduce_scatter", "rank"),
    "all_gather": Moment(f"{_COLLECTIVE}.choice:ChannelCollective.all_gather", "rank"),
    "send": Moment(f"{_COLLECTIVE}.comm_channel:CommChannel.send", "rank"),
    "receive": Moment(f"{_COLLECTIVE}.comm_channel:CommChannel.receive", "rank"),
    "tree grown": Moment(f"{_RUN}:Run.decide", "rank"),
    # The end.
    "result": Moment(f"{_RUN}:Run.result", "rank"),
    "tables": Moment("gbdist.categories.features:CategoricalFeatures.model_part", "rank"),
    "leave": Moment(f"{_COLLECTIVE}.comm:CommCollective.close", "rank"),
    "left": Moment(f"{_COLLECTIVE}.comm:CommCollective.close", "rank", after=True),
    "result fetched": Moment("gbdist_cluster.attempt:Attempt._gather", "client"),
    "model put together": Moment("gbdist.estimators.outcome:to_catboost", "client"),
    "end": Moment("gbdist.estimators.outcome:_train_result", "client", after=True),
}

#: Moments of a network's fit, which has those of tasks, gangs and messages too.
OF_NETWORKS = {
    "network rows": Moment("gbdist.estimators.networks.gang_run:network_rows", "rank", after=True),
    "states agreed": Moment("gbdist.estimators.networks.gang_run:agreed_state", "rank", after=True),
    "step": Moment("gbdist.neural.training.strategies.sync:Sync.step", "rank"),
    "stepped": Moment("gbdist.neural.training.strategies.sync:Sync.step", "rank", after=True),
    "step ahead": Moment("gbdist.neural.training.strategies.asynchronous:Asynchronous.step", "rank"),
    "sum known": Moment("gbdist.neural.training.strategies.asynchronous:Sums._know", "rank", after=True),
    "sum_floats": Moment(f"{_COLLECTIVE}.choice:ChannelCollective.sum_floats", "rank"),
    "epoch over": Moment("gbdist.neural.training.loop:_Run._end_epoch", "rank"),
    "epoch kept": Moment("gbdist.estimators.networks.keeping:Leaver.__call__", "rank", after=True),
    "network put together": Moment("gbdist.estimators.networks.on_cluster:finish_network", "client"),
}
MOMENTS |= OF_NETWORKS

#: What the tool itself looks at to know who is where.
SCENES = {
    "rank": f"{_RANKS}:run_rank",
    "tree": f"{_RUN}:Run.add_tree",
    "training epoch": "gbdist.neural.training.loop:_Run._epoch",
    "channel": f"{_COLLECTIVE}.comm_channel:CommChannel.__init__",
    "message": f"{_COLLECTIVE}.comm_channel:CommChannel.send",
}
