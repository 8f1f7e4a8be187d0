"""One call of ``fit``: from what the user gave to a network."""

from typing import Any

from gbdist.estimators.listeners import tell_columns
from gbdist.estimators.local_run import trains_here
from gbdist.estimators.networks.checkpoint import network_checkpoint_of
from gbdist.estimators.networks.local import train_here
from gbdist.estimators.networks.outcome import NetworkResult
from gbdist.estimators.networks.request import NetworkRequest


def train_network(request: NetworkRequest, client: Any) -> NetworkResult:
    """Train what is asked for.

    Data in memory below 10 000 rows and 4 000 000 cells, eval sets included, are trained on in this process; everything else on
    the cluster of ``client`` (a Client, an address, or None for the current one, else a local cluster's).

    Raises
    ------
    ParameterError, DataError, ModelError, SnapshotError, ClusterError
        Nothing is left on the cluster after an error.
    """
    checkpoint = network_checkpoint_of(request.settings)
    try:
        if request.columns.by_type:
            tell_columns(request.listener, [request.feature_names[position] for position, _ in request.unbinned])
        if trains_here(request.sources):
            return train_here(request, checkpoint)
        from gbdist.estimators.networks.on_cluster import train_on_cluster  # loads Dask's cluster side

        return train_on_cluster(request, client, checkpoint)
    finally:
        if request.profile is not None:
            request.profile.write()
        if checkpoint is not None:
            checkpoint.close()
