"""A browser opens the page from a file without a complaint and without asking for anything, and every plot has colours on it."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

#: Bokeh has drawn everything that it was given.
DRAWN = """
const done = arguments[0]
const look = () => {
  const documents = (window.Bokeh || {documents: []}).documents
  if (documents.length && documents.every((each) => each.is_idle)) requestAnimationFrame(() => requestAnimationFrame(done))
  else setTimeout(look, 20)
}
look()
"""
#: Names and edges of all charts.
PLACES = """
return [...document.querySelectorAll('[data-chart]')].map((each) => {
  const {left, top, right, bottom} = each.getBoundingClientRect()
  return [each.dataset.chart, left, top, right, bottom]
})
"""
#: Pixels that neither text nor lines of the axes have: those of dots, bars, curves and leaves.
SATURATION, FEWEST = 60, 60


def open_page(browser: Any, html: str, path: Path) -> None:
    """Open a page from a file, and wait until it is drawn."""
    path.write_text(html, encoding="utf-8")
    browser.get(path.as_uri())
    if '<script type="application/json"' in html:
        browser.execute_async_script(DRAWN)


def pictures(browser: Any) -> dict[str, NDArray[np.uint8]]:
    """What the screen shows of each chart: [height, width, 3], red, green and blue."""
    whole = np.asarray(Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB"))
    found = {}
    for name, left, top, right, bottom in browser.execute_script(PLACES):
        assert (right, bottom) <= (whole.shape[1], whole.shape[0]), f"{name} lies outside the window"
        found[name] = whole[int(top) : int(bottom), int(left) : int(right)]
    return found


def coloured(picture: NDArray[np.uint8]) -> int:
    """Pixels that are neither white nor black nor grey."""
    return int((np.ptp(picture, axis=2) > SATURATION).sum())


@pytest.mark.parametrize(
    ("kind", "rows", "n_charts"),
    [("binary", True, 9), ("several", True, 10), ("numbers", True, 9), ("quantiles", True, 9), ("numbers", False, 5)],
)
def test_every_plot_is_drawn(
    browser: Any, page: Callable[..., str], tmp_path: Path, kind: str, rows: bool, n_charts: int
) -> None:
    open_page(browser, page(kind, True, rows), tmp_path / "report.html")
    complaints = [each for each in browser.get_log("browser") if each["level"] not in ("INFO", "DEBUG")]
    assert complaints == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)") == []
    assert browser.title == "Model report: m.cbm"
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1280
    seen = pictures(browser)
    assert len(seen) == n_charts
    assert {name: picture.shape for name, picture in seen.items() if min(picture.shape[:2]) < 250} == {}
    assert {name: coloured(picture) for name, picture in seen.items() if coloured(picture) < FEWEST} == {}


def test_each_class_has_a_swarm_behind_its_tab(browser: Any, page: Callable[..., str], tmp_path: Path) -> None:
    open_page(browser, page("several", True), tmp_path / "report.html")
    seen = []
    for number in (0, 3):
        browser.execute_script(f"Bokeh.documents[0].get_model_by_name('shap').active = {number}")
        browser.execute_async_script(DRAWN)
        seen.append(pictures(browser)["shap"])
        assert coloured(seen[-1]) > FEWEST
    assert len({each.tobytes() for each in seen}) == 2


def test_plots_that_are_not_drawn_are_seen_to_be_empty(browser: Any, page: Callable[..., str], tmp_path: Path) -> None:
    html = re.sub(r'<script type="application/json".*?</script>', "", page("binary", True), flags=re.DOTALL)
    open_page(browser, html, tmp_path / "report.html")
    assert [coloured(picture) for picture in pictures(browser).values()] == [0] * 9
    browser.get_log("browser")  # in which it complains
