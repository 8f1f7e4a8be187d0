"""A browser for tests that look at pages as a user does."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def chromium(width: int, height: int) -> Iterator[Any]:
    """Debian's Chromium without a window, so wide and high; skips where there is none."""
    places = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, place in places.items() if place is None]
    if missing:
        said = f"{' and '.join(missing)} cannot be found: apt-get install chromium chromium-driver"
        if os.environ.get("GBDIST_REQUIRE_BROWSER"):
            pytest.fail(said)
        pytest.skip(said)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(places["chromium"])
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--force-device-scale-factor=1", f"--window-size={width},{height}"):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(str(places["chromedriver"]))
    with webdriver.Chrome(options=options, service=service) as driver:
        driver.set_script_timeout(30)
        yield driver
