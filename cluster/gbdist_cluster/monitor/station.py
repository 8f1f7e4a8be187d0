"""The board where it lives: in the scheduler's process, filled by its streams, shown on its dashboard and in its metrics."""

import json
import logging
import time
from typing import Any

from gbdist_cluster.monitor import metrics
from gbdist_cluster.monitor.board import STREAM, Board

__all__ = ["Station"]

logger = logging.getLogger(__name__)


class Station:
    """Holds the board of one scheduler; all calls come in the scheduler's event loop."""

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self.board = Board()

    def start(self) -> None:
        """Take messages, answer questions, and show what there is."""
        self._scheduler.stream_handlers[STREAM] = self.take
        self._scheduler.handlers["gbdist_board"] = self.read
        metrics.show(self.board)
        if has_dashboard(self._scheduler):
            self._add_page()

    def _add_page(self) -> None:
        """What Dask has inside changes from release to release: without the page everything else still works."""
        try:
            from gbdist_cluster.monitor.page import add_page

            add_page(self._scheduler, self.board)
        except Exception:
            logger.exception("this version of Dask or Bokeh cannot show the page /gbdist")

    def stop(self) -> None:
        """The scheduler ends; its dashboard goes with it."""
        metrics.hide(self.board)

    def take(self, client: str = "", worker: str = "", **told: Any) -> None:
        """Take a message from a stream. What raises here would end the stream, and with it the client or the worker."""
        try:
            self.board.take(told, client or worker, time.time())
        except Exception:  # of another version, most likely
            logger.exception("cannot read what %s tells of a run: %.500r", client or worker, told)

    def read(self, run_id: str | None = None, job: str | None = None) -> str:
        """Answer ``reporting.read_board``: as JSON, because Dask's messages would make tuples of lists."""
        return json.dumps(self.board.read(run_id, job))

    def remove_client(self, client: str) -> None:
        """A client has left."""
        self.board.remove_client(client, time.time())

    def cancel(self, job: str) -> None:
        """A job was called off."""
        self.board.cancel(job, time.time())


def has_dashboard(scheduler: Any) -> bool:
    """Whether Dask's own pages are there, which ours stands beside."""
    applications = getattr(getattr(scheduler, "http_application", None), "applications", ())
    return any(hasattr(application, "app_paths") for application in applications)
