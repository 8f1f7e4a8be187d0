"""Generated data for the demo of categories: visits to a shop that does not exist."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

TARGET: Final = "bought"

_COUNTRIES, _CITIES, _PRODUCTS = 30, 400, 8_000
_DEVICES: Final = ("desktop", "phone", "tablet")
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def make_visits(n_rows: int, seed: int = 0) -> Any:
    """A pandas frame [n_rows] of numbers, of texts with 3 to 8,000 distinct values, and of 0/1 in ``TARGET``.

    Some cities, products and devices sell better than others, phones in some countries more than in others, and a few products
    make most of the visits, as in a real shop: of most there is little to learn from.
    """
    import pandas as pd

    draw = np.random.default_rng(seed)
    device, weekday = draw.integers(len(_DEVICES), size=n_rows), draw.integers(7, size=n_rows)
    city, product = _often_and_rarely(draw, _CITIES, n_rows), _often_and_rarely(draw, _PRODUCTS, n_rows)
    country = draw.integers(_COUNTRIES, size=_CITIES)[city]
    hour, age = draw.uniform(0, 24, n_rows), draw.normal(42, 14, n_rows).clip(16, 90)
    basket, visits = draw.lognormal(3, 0.8, n_rows), draw.poisson(3, n_rows)
    score = 0.5 * np.log(basket) + 0.3 * np.sqrt(visits) - 0.01 * age + 0.3 * np.sin(hour / 24 * 2 * np.pi)
    score += np.array([0.3, 0.0, -0.2])[device] + 0.3 * (weekday >= 5)
    score += draw.normal(0, 0.5, _CITIES)[city] + draw.normal(0, 0.9, _PRODUCTS)[product]
    score += draw.normal(0, 0.5, (_COUNTRIES, len(_DEVICES)))[country, device]
    bought = draw.random(n_rows) < 1 / (1 + np.exp(score.mean() + 0.5 - score))
    return pd.DataFrame(
        {
            "age": age.round(),
            "basket": basket.round(2),
            "hour": hour.round(1),
            "visits": visits,
            "device": np.array(_DEVICES, dtype=object)[device],
            "weekday": np.array(_WEEKDAYS, dtype=object)[weekday],
            "country": _called("country", country),
            "city": _called("city", city),
            "product": _called("product", product),
            TARGET: bought.astype(np.int64),
        }
    )


def _often_and_rarely(draw: np.random.Generator, n_values: int, n_rows: int) -> NDArray[np.int64]:
    """Numbers below ``n_values`` [n_rows], small ones more often than large ones."""
    share = 1.0 / np.arange(1, n_values + 1) ** 0.7
    return draw.choice(n_values, size=n_rows, p=share / share.sum())


def _called(name: str, numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Texts such as "city-17", object [n_rows]."""
    return np.array([f"{name}-{number}" for number in numbers.tolist()], dtype=object)
