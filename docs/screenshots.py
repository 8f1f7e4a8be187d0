"""Makes the pictures of pages for the documentation: docs/images/page.png and page-phone.png, of the dashboard's page as a run
loses a worker; search.png and folds.png, of the pages that a search and a cross-validation write.

usage: python docs/screenshots.py [dashboard] [search] [folds] [--folder docs/images]
       (needs chromium, chromedriver, selenium and pillow; all of them unless named)
"""

import argparse
import base64
import io
import os
import shutil
import signal
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client
from PIL import Image
from selenium import webdriver

from gbdist import DaskCatBoostClassifier
from gbdist.errors import GbdistError
from gbdist.selection import DaskSearchCV, cv
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.monitor.reporting import read_board

SIZES = {"page": (1280, 1080), "page-phone": (390, 1540)}
WAIT_SECONDS = 120.0
LONG = 3_000


def browser() -> Any:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(str(shutil.which("chromedriver"))))


def fit(client: Client, n_rows: int, iterations: int) -> None:
    """One run with an eval set."""
    values = da.random.default_rng(1).normal(size=(n_rows, 28), chunks=(n_rows // 8, 28)).astype("float32")
    noise = da.random.default_rng(2).normal(size=n_rows, chunks=n_rows // 8)
    label = (values[:, 0] + values[:, 1] * values[:, 2] + 0.5 * noise > 0).astype("int32")
    model = DaskCatBoostClassifier(
        iterations=iterations, depth=6, custom_metric=["AUC"], random_seed=7, client=client, verbose=False
    )
    with suppress(GbdistError):  # the cluster ends before the run does
        model.fit(values, label, eval_fraction=0.1)


def until(client: Client, trees: int) -> None:
    """Wait until the newest run has so many trees."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        runs = read_board(client)
        if runs and runs[0]["iterations"] == LONG and runs[0]["trees"] >= trees:
            return
        time.sleep(0.1)
    raise TimeoutError(f"no run had {trees} trees after {WAIT_SECONDS:g} s")


def shoot(address: str, folder: Path) -> None:
    """Open the page in each size, and keep what is seen."""
    with browser() as driver:
        for name, (width, height) in SIZES.items():
            metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": name.endswith("phone")}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            driver.get(address)
            time.sleep(4.0)
            driver.save_screenshot(str(folder / f"{name}.png"))


def dashboard(folder: Path) -> None:
    """Run, lose a worker, look."""
    with start_local(workers=3, threads=1, dashboard=True) as local:
        client = local.client
        fit(client, 40_000, 60)  # a run that is over, above all to compile
        thread = threading.Thread(target=fit, args=(client, 400_000, LONG), daemon=True)
        thread.start()
        until(client, 60)
        pids = client.run(os.getpid)
        os.kill(pids[sorted(pids)[-1]], signal.SIGKILL)
        until(client, 260)
        shoot(str(local.dashboard_link).replace("/status", "/gbdist"), folder)


def rows() -> tuple[Any, Any]:
    """A small table, and what to learn."""
    draw = np.random.default_rng(3)
    values = draw.normal(size=(4_000, 8)).astype(np.float32)
    return values, (values[:, 0] + values[:, 1] * values[:, 2] + draw.normal(size=4_000) > 0).astype(np.int32)


def search(folder: Path) -> None:
    """The page of a search of 40 trials: its history and its parallel coordinates."""
    space = {
        "learning_rate": {"low": 0.01, "high": 0.5, "log": True},
        "depth": {"low": 2, "high": 8},
        "l2_leaf_reg": {"low": 0.1, "high": 30.0, "log": True},
        "bootstrap_type": ["Bernoulli", "MVS", "No"],
        "random_strength": {"low": 0.0, "high": 3.0},
    }
    model = DaskCatBoostClassifier(iterations=80)
    found = DaskSearchCV(model, space, search="bayesian", pruner="median", n_trials=40, cv=3, scoring="roc_auc",
                         study_name="forty trials", verbose=False)  # fmt: skip
    found.fit(*rows())
    with tempfile.TemporaryDirectory() as place:
        page = found.plot(Path(place) / "search.html")
        cut(str(page), ("section-1", "section-3"), folder / "search.png")


def folds(folder: Path) -> None:
    """The page of a cross-validation: its curves."""
    params = {"loss_function": "Logloss", "custom_metric": ["AUC"], "iterations": 150, "verbose": False}
    with tempfile.TemporaryDirectory() as place:
        page = Path(place) / "folds.html"
        cv(rows(), {**params, "learning_rate": 0.15}, fold_count=5, plot_file=page)
        cut(str(page), ("section-1",), folder / "folds.png")


def cut(page: str, sections: tuple[str, ...], picture: Path) -> None:
    """Open a page, and keep what is seen of some of its sections, one below the other."""
    pieces = []
    with browser() as driver:
        metrics = {"width": 1000, "height": 4000, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get(f"file://{page}")
        time.sleep(4.0)
        for section in sections:
            pieces.append(
                Image.open(io.BytesIO(base64.b64decode(driver.find_element("id", section).screenshot_as_base64)))
            )
    whole = Image.new("RGB", (max(one.width for one in pieces), sum(one.height for one in pieces)))
    for number, one in enumerate(pieces):
        whole.paste(one, (0, sum(before.height for before in pieces[:number])))
    whole.quantize(64).save(picture, optimize=True)


def main() -> None:
    """Make the pictures that were named."""
    makers = {"dashboard": dashboard, "search": search, "folds": folds}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", choices=list(makers), default=list(makers))
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "images")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    for name in given.pictures:
        makers[name](given.folder)


if __name__ == "__main__":
    main()
