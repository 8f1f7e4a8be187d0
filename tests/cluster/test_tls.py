"""Everything works on a cluster that takes encrypted connections only."""

import numpy as np
from distributed import Client, LocalCluster
from distributed.security import Security

from gbdist_cluster.gang import Member, RankContext, run_on_gang
from gbdist_cluster.shards import ShardHandle, keep
from gbdist_cluster.versions import check_workers


def test_a_gang_under_tls() -> None:
    security = Security.temporary()
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            protocol="tls",
            security=security,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        Client(cluster, security=security, set_as_default=False) as client,
    ):
        addresses = [facts.address for facts in check_workers(client)]
        assert all(address.startswith("tls://") for address in addresses)

        def make(value: int) -> ShardHandle:
            return keep(np.full(10, value))

        def routine(context: RankContext) -> int:
            context.emit(context.rank)
            (shard,) = context.shards
            return int(context.collective.all_reduce(shard)[0]) + int(context.ask(context.rank))

        futures = [client.submit(make, 10**rank, workers=[at], pure=False) for rank, at in enumerate(addresses)]
        members = [Member(at, (future,)) for at, future in zip(addresses, futures, strict=True)]
        heard: list[int] = []

        def listener(message: int) -> bool:
            heard.append(message)
            return True

        assert run_on_gang(client, routine, members=members, listener=listener) == [12, 12]
        assert sorted(heard) == [0, 0, 1, 1]
        del futures, members
