"""Makes the pictures of the page for the documentation, from a run that loses a worker: docs/images/page.png, page-phone.png.

usage: python docs/screenshots.py [--folder docs/images]      (needs chromium, chromedriver and selenium)
"""

import argparse
import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask.array as da
from distributed import Client
from selenium import webdriver

from gbdist import DaskCatBoostClassifier
from gbdist.errors import GbdistError
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


def main() -> None:
    """Run, lose a worker, look."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "images")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
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


if __name__ == "__main__":
    main()
