"""The page ``/gbdist`` on Dask's own dashboard: sessions of Bokeh, and the one feed that all of them share.

A session costs little while a run goes on, and nothing while none does: once a second the feed looks whether anything changed;
if so it writes down what the page is to show, once for all who look at the same, and hands every session that one text. The
browser does the rest (``figures``), and tells nothing back but how large its charts are, when that changes.
"""

import json
import time
from functools import partial
from importlib.resources import files
from typing import Any

from bokeh.models import CustomJS
from distributed.dashboard.core import BokehApplication
from distributed.dashboard.scheduler import template_variables
from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader
from tornado.ioloop import IOLoop, PeriodicCallback

from gbdist_cluster.monitor.board import Board
from gbdist_cluster.monitor.drawing import Choice, WorkerMemory, drawing
from gbdist_cluster.monitor.figures import roots

__all__ = ["Feed", "add_page"]

_PERIOD_SECONDS = 1.0
_MEMORY_STEP = 1 << 24
"""Changes of a worker's memory by fewer bytes are not worth a message."""

_APPLY = """
const wanted = JSON.parse(feed.tags[0])
for (const [name, values] of Object.entries(wanted)) feed.document.get_model_by_name(name).setv(values, {sync: false})
"""


class Feed:
    """What all sessions are shown, and who they are; runs as long as there are any."""

    def __init__(self, scheduler: Any, board: Board) -> None:
        self._scheduler, self._board = scheduler, board
        self._sessions: dict[Any, Choice] = {}
        self._texts: dict[Choice, str] = {}
        self._seen: tuple[int, tuple[int, ...]] | None = None
        self._timer = PeriodicCallback(self.tick, _PERIOD_SECONDS * 1000)

    def add(self, document: Any, choice: Choice) -> str:
        """A session begins; what it is to show."""
        self._sessions[document] = choice
        if not self._timer.is_running():
            self._timer.start()
            self._changed()
        return self._text(choice)

    def remove(self, document: Any) -> None:
        """A session is over."""
        self._sessions.pop(document, None)
        if not self._sessions:
            self._timer.stop()
            self._texts.clear()

    def tick(self) -> None:
        """Look whether anything changed, and have all sessions show it."""
        if self._changed():
            for document, choice in self._sessions.items():
                document.add_next_tick_callback(partial(_show, document, self._text(choice)))

    def _changed(self) -> bool:
        state = self._board.number, tuple(one.used // _MEMORY_STEP for one in self._memory())
        if state == self._seen:
            return False
        self._seen = state
        self._texts.clear()
        return True

    def _text(self, choice: Choice) -> str:
        if choice not in self._texts:
            made = drawing(self._board, choice, self._memory(), time.time())
            self._texts[choice] = json.dumps(made, allow_nan=False, separators=(",", ":"))
        return self._texts[choice]

    def _memory(self) -> list[WorkerMemory]:
        workers = self._scheduler.workers.values()
        return [WorkerMemory(one.address, one.memory.process, one.memory_limit or 0) for one in workers]


def _show(document: Any, text: str) -> None:
    (feed,) = (root for root in document.roots if root.name == "runs")
    feed.tags = [text]


def _fill(feed: Feed, scheduler: Any, extra: dict[str, Any], document: Any) -> None:
    """Make the document of one session."""
    asked = document.session_context.request.arguments
    choice = Choice(*(asked.get(name, [b""])[0].decode(errors="replace")[:200] for name in ("run", "metric")))
    for root in roots():
        document.add_root(root)
    carrier = document.roots[0]
    carrier.tags = [feed.add(document, choice)]
    apply = CustomJS(args={"feed": carrier}, code=_APPLY)
    carrier.js_on_change("tags", apply)
    document.js_on_event("document_ready", apply)
    document.on_session_destroyed(partial(_forget, feed, document))
    document.template = _template()
    document.template_variables.update(extra)


def _forget(feed: Feed, document: Any, session_context: Any) -> None:
    feed.remove(document)


def _template() -> Any:
    """Ours, within Dask's frame and menu."""
    from distributed.dashboard.components import scheduler as of_dask

    ours = DictLoader({"gbdist.html": (files(__package__) / "gbdist.html").read_text(encoding="utf-8")})
    loader = of_dask.env.loader
    if not isinstance(loader, FileSystemLoader):
        raise TypeError("Dask's pages have another kind of templates")
    return Environment(loader=ChoiceLoader([ours, loader])).get_template("gbdist.html")


def add_page(scheduler: Any, board: Board) -> None:
    """Put the page on a scheduler's dashboard, and into its menu."""
    variables = template_variables(scheduler)
    if "gbdist" not in variables["pages"]:
        variables["pages"].insert(1, "gbdist")
    (of_dask,) = (one for one in scheduler.http_application.applications if hasattr(one, "app_paths"))
    feed = Feed(scheduler, board)
    application = BokehApplication(
        {"/gbdist": partial(_fill, feed)}, scheduler, prefix=of_dask.prefix, template_variables=variables
    )
    scheduler.http_application.add_application(application)
    application.initialize(IOLoop.current())
    application.start()
