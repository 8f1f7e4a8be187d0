"""The driver of a job, on its worker: a task that leaves the worker's threads to others, with a client of its own.

It beats to the scheduler twice a second and hears there when the job is cancelled. Then its client is closed, which ends whatever
the job has on the cluster; the same where it hears that another attempt has taken its place, or hears nothing any more.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from distributed import Client, get_worker, secede
from distributed.core import Status
from distributed.security import Security
from distributed.utils import LoopRunner, sync

from gbdist_cluster.clients import new_client
from gbdist_cluster.errors import ClusterError
from gbdist_cluster.gang import patient

__all__ = ["JobOrder", "Outcome", "Session", "drive"]

logger = logging.getLogger(__name__)

BEAT_SECONDS = 0.5
SILENCE_SECONDS = 60.0
"""How long a driver goes on without an answer of the scheduler's."""

_CALL_SECONDS = 10.0
_PATIENCE_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class JobOrder:
    """What a driver is told: see ``Job``; it calls ``body(session, argument)``."""

    job_id: str
    digest: str
    spec: str
    body: Callable[["Session", Any], "Outcome"]
    argument: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: "done", "failed" or "cancelled", and why."""

    state: str
    error: str | None = None


class Session:
    """What the body of a driver has: its cluster, and the way to say how far it is.

    ``word`` is "go", or, where there is nothing to be run, "cancel", "given up" or "over". ``error`` says why it was given up.
    """

    def __init__(self, worker: Any, order: JobOrder) -> None:
        self._worker, self._order = worker, order
        self._progress: Mapping[str, Any] = {}
        self._saved = 0
        self._ended = threading.Event()
        self._client: Client | None = None
        self.job_id = order.job_id
        answer = self._begin()
        self.word: str = answer["word"]
        self.attempt: int = answer["job"]["attempt"]
        self.error: str | None = answer["job"]["error"]
        self.worker = str(worker.address)

    @property
    def client(self) -> Client:
        """The job's own client; closed once the job is cancelled or superseded."""
        if self._client is None:
            raise ClusterError("The job has no client yet", "This is a defect of gbdist; please report it.")
        return self._client

    @property
    def cancelled(self) -> bool:
        """Whether the job is not wanted any more."""
        return self.word == "cancel"

    @property
    def over(self) -> bool:
        """Whether somebody else speaks for the job now, or the cluster is gone."""
        return self.word == "over"

    def report(self, progress: Mapping[str, Any], saved: int = 0) -> None:
        """Say how far the job is, and how much of it had been saved when this attempt began. Returns at once."""
        self._progress, self._saved = dict(progress), max(saved, self._saved)

    def run(self) -> Outcome:
        """Run the body, and tell the scheduler how it ended."""
        watching = threading.Thread(target=self._watch, name=f"gbdist-beats-{self.job_id}", daemon=True)
        # Of our own, so that it still runs when the client is closed under the body: whoever waits in it then would wait on.
        loop = LoopRunner()
        try:
            if self.word == "go":
                loop.start()
                self._client = new_client(
                    self._worker.scheduler.address,
                    security=client_security(self._worker.security),
                    set_as_default=False,
                    name=f"gbdist-job-{self.job_id}",
                    loop=loop.loop,
                )
                watching.start()
            outcome = self._order.body(self, self._order.argument)
        except (
            BaseException
        ) as error:  # the body looks after errors of the job: this one is of the cluster, or a defect
            outcome = Outcome("failed", f"{type(error).__name__}: {error}")
        self._ended.set()
        if watching.ident is not None:
            watching.join()
        if not self.over:
            with suppress(ClusterError):  # a scheduler that is gone asks nobody
                self._call("end", attempt=self.attempt, state=outcome.state, error=outcome.error)
        if self._client is not None:
            self._client.close()
        loop.stop()
        return outcome

    def _begin(self) -> dict[str, Any]:
        """Ask whether the job may begin, until it may, or may not at all."""
        order, heard = self._order, time.monotonic()
        while True:
            try:
                job = {"digest": order.digest, "spec": order.spec, "worker": str(self._worker.address)}
                answer, heard = self._call("begin", job=job), time.monotonic()
                if answer["word"] != "wait":
                    return answer
            except ClusterError:
                if self._left or time.monotonic() - heard > SILENCE_SECONDS:
                    raise
            self._ended.wait(BEAT_SECONDS)

    @property
    def _left(self) -> bool:
        """Whether the worker has left the cluster."""
        return self._worker.status in (Status.closing, Status.closed, Status.failed)

    def _watch(self) -> None:
        """Beat until the body ends; close the client when it is to end."""
        heard = time.monotonic()
        while not self._ended.wait(BEAT_SECONDS):
            try:
                told = {"attempt": self.attempt, "progress": self._progress, "saved": self._saved}
                word, heard = self._call("beat", **told)["word"], time.monotonic()
            except ClusterError:
                if not self._left and time.monotonic() - heard < SILENCE_SECONDS:
                    continue
                word = "over"
            if word != "go":
                self.word = word
                self.client.close()
                return

    def _call(self, action: str, **fields: Any) -> dict[str, Any]:
        """Ask the scheduler over the worker's own connection, which stays when the job's client is closed."""

        async def ask() -> Any:
            return await self._worker.scheduler.gbdist_job(action=action, job_id=self._order.job_id, **fields)

        try:
            answer: dict[str, Any] = sync(self._worker.loop, ask, callback_timeout=_CALL_SECONDS)
        except (OSError, TimeoutError, RuntimeError) as problem:  # RuntimeError: the worker's event loop has ended
            raise ClusterError(
                f"The scheduler at {self._worker.scheduler.address} did not answer the driver of {self._order.job_id}",
                "Look for the cause in its log.",
            ) from problem
        return answer


def drive(order: JobOrder) -> None:
    """Be the driver of a job: the body of its Dask task."""
    worker = get_worker()
    secede()

    def run() -> None:
        try:
            # Whoever has the workers now may have them for days, and nobody sits and waits for the job.
            with patient(_PATIENCE_SECONDS):
                Session(worker, order).run()
        except ClusterError as problem:  # before there was anything to say how the job ended: it is lost
            logger.warning("job %s could not begin: %s", order.job_id, problem)

    # Not in this thread, where Dask's own collections would take the worker's client for theirs.
    thread = threading.Thread(target=run, name=f"gbdist-job-{order.job_id}", daemon=True)
    thread.start()
    thread.join()


def client_security(security: Security) -> Security:
    """What a client on a worker shows: the worker's own certificate where it has none for clients."""
    if security.tls_client_cert or not security.tls_worker_cert:
        return security
    given = {name: getattr(security, name) for name in Security.__slots__}
    given |= {"tls_client_cert": security.tls_worker_cert, "tls_client_key": security.tls_worker_key}
    return Security(**given)
