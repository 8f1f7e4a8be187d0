"""What Dask loads when a scheduler starts: ``dask scheduler --preload gbdist_cluster.preload``.

The first fit installs gbdist's plugins on a cluster that has none (``plugin.prepare``). Where the scheduler is started with this
module they are there from the beginning: what it shows of runs can be looked at before the first one, and every worker gets its
plugin as it joins.
"""

from typing import Any

from distributed import Scheduler
from distributed.protocol.pickle import dumps

from gbdist_cluster.plugin import GbdistSchedulerPlugin, GbdistWorkerPlugin

__all__ = ["dask_setup"]


async def dask_setup(server: Any) -> None:
    """Install the plugins on a scheduler that starts. On a worker there is nothing to do: its scheduler sends it its own."""
    if not isinstance(server, Scheduler):
        return
    # Dask starts every plugin once preloads are done, so this one is only put beside the others and not started here.
    server.add_plugin(GbdistSchedulerPlugin(), idempotent=True)
    await server.register_worker_plugin(
        None, plugin=dumps(GbdistWorkerPlugin()), name=GbdistWorkerPlugin.name, idempotent=True
    )
