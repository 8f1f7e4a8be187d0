"""The page as a browser shows it: from Dask's menu, while a run goes on, on a laptop and on a phone, reloaded, in two tabs."""

import io
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster
from PIL import Image

from gbdist_cluster.monitor.board import STREAM
from gbdist_cluster.monitor.reporting import read_board
from gbdist_cluster.plugin import prepare

from ...browser import chromium
from .told import A, B, about, began, ended, epoch, event, progress

#: Keeps the names of the properties of which the page tells over its websocket.
LISTENING = r"""
window.sent = []
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (data) {
  window.sent.push(...(String(data).match(/"attr":"\w+"/g) || []))
  return send.call(this, data)
}
"""
#: What the page shows: words of the two texts, and trees on the first curve.
SHOWN = """
const documents = (window.Bokeh || {documents: []}).documents
if (!documents.length || !documents[0].is_idle) return null
const get = (name) => documents[0].get_model_by_name(name)
return {runs: get('runs').text, headline: get('headline').text, xs: [...get('curves-data').get('xs')].map((each) => [...each]),
        epochs: [...get('timeline-y').factors], workers: [...get('memory-y').factors], sent: window.sent}
"""
SECTIONS = (
    "return [...document.querySelectorAll('.gbdist section')].map((each) => each.getBoundingClientRect().toJSON())"
)
#: What was asked for has been drawn.
DRAWN = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0)))"
SATURATION, FEWEST = 60, 60


class Page:
    """A cluster with the page, what is told to its board, and a browser that looks at it."""

    def __init__(self, client: Client, browser: Any, address: str) -> None:
        self.browser, self.address, self._client = browser, address, client

    def tell(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self._client._send_to_scheduler({"op": STREAM, **message})

    def open(self, path: str, width: int = 1280, height: int = 1400) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.browser.get(self.address + path)

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """What is shown, once something holds of it."""
        end = time.monotonic() + 30.0
        while True:
            shown = self.browser.execute_script(SHOWN)
            if shown is not None and holds(shown):
                return dict(shown)
            assert time.monotonic() < end, shown
            time.sleep(0.02)

    def complaints(self) -> list[str]:
        """What the browser's console has that is no mere information."""
        return [each["message"] for each in self.browser.get_log("browser") if each["level"] not in ("INFO", "DEBUG")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[Client, str]]:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0", memory_limit=1 << 30
        ) as made,
        Client(made, set_as_default=False) as client,
    ):
        prepare(client)
        yield client, f"http://127.0.0.1:{made.scheduler.http_server.port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium(1280, 1400) as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LISTENING})
        yield driver


@pytest.fixture
def page(cluster: tuple[Client, str], browser: Any) -> Iterator[Page]:
    made = Page(cluster[0], browser, cluster[1])
    yield made
    assert made.complaints() == []


def a_run(run: str) -> list[dict[str, Any]]:
    """A run of two ranks that has lost one of them."""
    return [
        began(run), about(run), epoch(run=run), *(progress(trees, rank, run) for trees in (3, 4, 5) for rank in (0, 1)),
        event("lost", "it left", run=run), epoch(1, 4, run=run, workers=(A,)), progress(6, run=run, epoch=1, best=(4, 0.2)),
    ]  # fmt: skip


def test_it_is_in_dasks_menu_and_shows_what_happens_without_an_answer(page: Page) -> None:
    page.open("/status")
    page.browser.find_element("link text", "Gbdist").click()
    assert page.browser.current_url == page.address + "/gbdist"
    assert page.browser.title == "gbdist: runs"
    page.until(lambda shown: "No run has begun" in shown["headline"])

    page.tell(*a_run("first"))
    before = page.until(lambda shown: "6 / 100" in shown["runs"])
    assert before["epochs"] == ["epoch 1", "epoch 0", "preparing"]
    assert "Trainer Loss" in before["headline"]
    assert len(before["workers"]) == 1
    page.tell(progress(12, run="first", epoch=1), progress(30, run="first", epoch=1))
    after = page.until(lambda shown: "30 / 100" in shown["runs"])
    assert after["xs"] == [[2, 3, 4, 5, 11, 29]]
    page.tell(ended("failed", "ValueError: <b>no</b>", run="first"))
    last = page.until(lambda shown: "ValueError: &lt;b&gt;no" in shown["headline"])
    # The browser draws by itself. What it tells the scheduler is how large charts are, when that changes; nothing that is drawn.
    assert set(last["sent"]) <= {
        f'"attr":"{edge}_{side}"' for edge in ("inner", "outer") for side in ("width", "height")
    }


@pytest.mark.parametrize(("width", "height"), [(1280, 1300), (390, 2200)])
def test_it_fits_the_screen_and_every_chart_has_colours(page: Page, width: int, height: int) -> None:
    page.tell(*a_run(f"wide {width}"))
    page.open("/gbdist", width, height)
    page.until(lambda shown: "6 / 100" in shown["runs"])
    assert page.browser.execute_script("return document.documentElement.scrollWidth") <= width
    end, colours = time.monotonic() + 20.0, [0]
    while min(colours) < FEWEST:
        assert time.monotonic() < end, colours
        page.browser.execute_async_script(DRAWN)
        colours = colours_of(page, width)
    assert len(colours) == 7
    page.tell(ended(run=f"wide {width}"))


def colours_of(page: Page, width: int) -> list[int]:
    """Pixels of each section that are neither white nor black nor grey; all of them lie within the width."""
    whole = np.asarray(Image.open(io.BytesIO(page.browser.get_screenshot_as_png())).convert("RGB")).astype(int)
    colours = []
    for place in page.browser.execute_script(SECTIONS):
        assert place["right"] <= width
        picture = whole[int(place["top"]) : int(place["bottom"]), int(place["left"]) : int(place["right"])]
        colours.append(int((np.ptp(picture, axis=2) > SATURATION).sum()))
    return colours


def test_another_run_is_chosen_and_stays_after_a_reload_and_in_another_tab(page: Page) -> None:
    page.tell(*a_run("older"), *a_run("newer"))
    page.open("/gbdist")
    page.until(lambda shown: shown["runs"].count('<a href="gbdist?run=') >= 2)
    page.open("/gbdist?run=older")
    page.until(lambda shown: "6 / 100" in shown["runs"])
    page.tell(progress(9, run="older", epoch=1))
    page.until(lambda shown: shown["xs"] == [[2, 3, 4, 5, 8]])
    page.browser.refresh()
    page.until(lambda shown: shown["xs"] == [[2, 3, 4, 5, 8]] and "Show the newest run" in shown["runs"])

    first = page.browser.current_window_handle
    page.browser.switch_to.new_window("tab")
    page.browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": LISTENING})
    try:
        page.open("/gbdist")
        page.until(lambda shown: shown["xs"] == [[2, 3, 4, 5]])
        page.tell(progress(11, run="older", epoch=1))
    finally:
        page.browser.close()
        page.browser.switch_to.window(first)
    page.until(lambda shown: shown["xs"] == [[2, 3, 4, 5, 8, 10]])
    page.tell(ended(run="older"), ended(run="newer"))


def test_the_metrics_are_on_the_schedulers_own_page(page: Page, cluster: tuple[Client, str]) -> None:
    page.tell(began("metrics"), about("metrics"), epoch(run="metrics"), progress(5, run="metrics"))
    end = time.monotonic() + 20.0
    while not [run for run in read_board(cluster[0], "metrics") if run["trees"]]:
        assert time.monotonic() < end
        time.sleep(0.01)
    with urllib.request.urlopen(page.address + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert 'gbdist_run_trees{job="",label="Trainer Loss",run="metrics"} 5.0' in text
    assert f'gbdist_rank_sent_bytes{{rank="1",run="metrics",worker="{B}"}} 0.0' in text
    assert "dask_scheduler_workers" in text
    page.tell(ended(run="metrics"))
