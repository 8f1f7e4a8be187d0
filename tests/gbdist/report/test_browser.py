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
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from gbdist.report.folds import folds_page
from gbdist.report.study import study_page

from .study.conftest import made
from .test_folds import facts as of_folds

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
#: Where the best trial's line is half-way between two axes, in the window.
ON_THE_BEST = """
const plot = Bokeh.documents[0].get_model_by_name('parallel'), trials = Bokeh.documents[0].get_model_by_name('trials')
const view = Bokeh.index.find_one(plot), {left, top} = view.canvas_view.el.getBoundingClientRect()
const [from, to] = ['y_0', 'y_1'].map((name) => trials.get_column(name).at(-1))
return [left + view.frame.x_scale.compute(0.5), top + view.frame.y_scale.compute((from + to) / 2),
        left + view.frame.x_scale.compute(0), top + view.frame.y_scale.compute(0.5), top + view.frame.y_scale.compute(1)]
"""
SHOWN = "return [...document.querySelectorAll('[data-table] tbody tr')].filter((row) => !row.hidden).map((row) => row.innerText)"
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


def complaints(browser: Any) -> list[Any]:
    return [each for each in browser.get_log("browser") if each["level"] not in ("INFO", "DEBUG")]


def drag(browser: Any, *places: tuple[float, float]) -> None:
    """Press at the first place, and let go at the last; with one place only point at it."""
    actions = ActionChains(browser)
    pointer = actions.w3c_actions.pointer_action
    for number, (x, y) in enumerate(places):
        pointer.move_to_location(int(x), int(y))
        if number == 0 and len(places) > 1:
            pointer.pointer_down()
    if len(places) > 1:
        pointer.pointer_up()
    actions.perform()
    browser.execute_async_script(DRAWN)


def check_drawn(browser: Any, html: str, path: Path, n_charts: int) -> None:
    """Open a page, and look at every chart on it."""
    open_page(browser, html, path)
    assert complaints(browser) == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map((each) => each.name)") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1280
    seen = pictures(browser)
    assert len(seen) == n_charts
    assert {name: picture.shape for name, picture in seen.items() if min(picture.shape[:2]) < 250} == {}
    assert {name: coloured(picture) for name, picture in seen.items() if coloured(picture) < FEWEST} == {}


@pytest.mark.parametrize(
    ("kind", "rows", "n_charts"),
    [
        ("binary", True, 9),
        ("several", True, 10),
        ("numbers", True, 9),
        pytest.param("quantiles", True, 9, marks=pytest.mark.soak),
        ("numbers", False, 5),
    ],
)
def test_every_plot_is_drawn(
    browser: Any, page: Callable[..., str], tmp_path: Path, kind: str, rows: bool, n_charts: int
) -> None:
    check_drawn(browser, page(kind, True, rows), tmp_path / "report.html", n_charts)
    assert browser.title == "Model report: m.cbm"


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


def test_page_of_folds_is_drawn(browser: Any, tmp_path: Path) -> None:
    check_drawn(browser, folds_page(of_folds()), tmp_path / "folds.html", 2)


def test_trials_are_pointed_at_chosen_and_sorted(browser: Any, tmp_path: Path) -> None:
    facts = made()
    assert facts.best is not None
    check_drawn(browser, study_page(facts), tmp_path / "search.html", 8)
    x, y, axis, middle, top = browser.execute_script(ON_THE_BEST)
    drag(browser, (x - 3, y - 3))
    drag(browser, (x, y))
    tip = browser.find_element(By.CLASS_NAME, "tip").text
    assert tip.splitlines()[0] == f"trial {facts.best.number} complete"
    assert f"depth {facts.best.params['depth']}" in tip

    everything = browser.execute_script(SHOWN)
    assert len(everything) == 40
    browser.execute_script("for (const tool of Bokeh.documents[0].get_model_by_name('parallel').toolbar.tools) "
                           "if (tool.type === 'BoxSelectTool') tool.active = true")  # fmt: skip
    drag(browser, (axis - 6, top - 6), (axis + 6, middle))
    rates = [np.log(trial.params["rate"]) for trial in facts.trials]
    above = sum(rate >= (min(rates) + max(rates)) / 2 for rate in rates)
    assert 0 < above < 40
    assert len(browser.execute_script(SHOWN)) == above
    assert browser.find_element(By.CLASS_NAME, "chosen").text == f"{above} chosen. Show all trials"
    browser.find_element(By.CSS_SELECTOR, ".chosen button").click()
    assert browser.execute_script(SHOWN) == everything

    button = browser.find_element(By.XPATH, "//thead//button[text()='rate']")
    for order in ("ascending", "descending"):
        button.click()
        assert button.find_element(By.XPATH, "..").get_attribute("aria-sort") == order
        shown = [float(row.split("\t")[4]) for row in browser.execute_script(SHOWN)]
        assert shown == sorted(shown, reverse=order == "descending")
    last = browser.find_element(By.XPATH, "//tbody//tr[1]//button")
    last.click()
    assert [row.split("\t")[0] for row in browser.execute_script(SHOWN)] == [last.text]
    assert complaints(browser) == []
