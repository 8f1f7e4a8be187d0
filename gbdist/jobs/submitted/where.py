"""Where jobs are: the folder that they are kept in, and the cluster that they run on."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from gbdist.errors import ClusterError, SettingError
from gbdist.jobs.cluster import connect
from gbdist.jobs.submitted.store import JobsFolder

_PROBE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Where:
    """What ``--jobs-dir``, ``--scheduler`` and ``--tls`` say; what is left out is looked for."""

    jobs_dir: str | None = None
    scheduler: str | None = None
    tls: str | None = None

    @property
    def folder(self) -> JobsFolder:
        """The jobs folder: what was said, else ``$GBDIST_JOBS``, else a folder beside what is known of local clusters."""
        from gbdist_cluster.launch.records import home

        return JobsFolder(self.jobs_dir or os.environ.get("GBDIST_JOBS") or str(home() / "jobs"))

    def located(self) -> "Where":
        """The same with a cluster: the only one that runs where none was named. ClusterError if there is none, or several."""
        from gbdist_cluster.launch.records import only_running

        return self if self.scheduler is not None else replace(self, scheduler=only_running().name)

    @contextmanager
    def cluster(self) -> Iterator[Any]:
        """A client of the cluster to submit to; ClusterError if there is none, or it does not answer."""
        with connect(str(self.located().scheduler), self.tls) as client:
            yield client

    @contextmanager
    def cluster_of(self, recorded: Mapping[str, str]) -> Iterator[Any | None]:
        """A client of the cluster that a job was submitted to; None where that one is not reached any more.

        Raises
        ------
        CertificateError
            It may be reached, but not without other certificates.
        ClusterError
            A scheduler is there, and too busy to say which one it is.
        """
        named = (self.scheduler, recorded.get("name"), recorded.get("address"))
        with ExitStack() as stack:
            for place in dict.fromkeys(filter(None, named)):
                client = self._client_at(place, stack)
                if client is not None and _id_of(client) == recorded.get("id"):
                    yield client
                    return
            yield None

    def _client_at(self, place: str, stack: ExitStack) -> Any | None:
        """A client of the cluster at an address or of a name, open as long as the stack; None where nobody answers."""
        from gbdist_cluster.errors import CertificateError
        from gbdist_cluster.launch.connection import locate

        encrypts = place.startswith("tls://") or ("://" not in place and ":" in place)  # of a name: as its record says
        tls = self.tls if encrypts else None
        try:
            if not answers(locate(place, tls).address):
                return None
            return stack.enter_context(connect(place, tls))
        except CertificateError:
            raise
        except (ClusterError, SettingError):
            return None


def answers(address: str) -> bool:
    """Whether something listens at an address; costs two seconds at most."""
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        protocol, place = parse_address(address)
        if protocol == "inproc":
            return True
        with socket.create_connection(parse_host_port(place), timeout=_PROBE_SECONDS):
            return True
    except (OSError, ValueError):
        return False


def is_here(address: str) -> bool:
    """Whether a scheduler at an address is on this machine for sure, so that its workers see the same files."""
    from gbdist_cluster.launch.config import is_loopback

    protocol, _, place = address.partition("://")
    return protocol == "inproc" or is_loopback(place.rpartition(":")[0])


def _id_of(client: Any) -> str:
    from gbdist_cluster.job_calls import scheduler_of

    return scheduler_of(client)["id"]
