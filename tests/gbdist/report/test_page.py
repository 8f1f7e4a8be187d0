"""The page is one file: whole, small, and loading nothing, whatever features are called."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

from gbdist.models.history import record_of
from gbdist.report.page import report_page, sections_of
from gbdist.report.style import Section
from gbdist.report.subject import Rows, Subject

#: Attributes with which a page loads something.
LOADING = {"src", "href", "data", "srcset", "action", "poster"}


class Reader(HTMLParser):
    """What a page loads, its words, and its charts' places."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.charts: list[str] = []
        self.words: list[str] = []
        self._within: list[str] = []
        self.feed(re.sub(r"(<script[^>]*>).*?</script>", r"\1</script>", html, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._within.append(tag)
        self.loads += [str(value) for name, value in attributes if name in LOADING and not str(value).startswith("#")]
        self.charts += [str(value) for name, value in attributes if name == "data-chart"]

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._within):
            self.words.append(data)
        elif "style" in self._within:
            assert "@import" not in data
            assert not re.search(r"url\(\s*['\"]?http", data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))


@pytest.mark.parametrize("kind", ["numbers", "binary", "several", "quantiles"])
def test_page_is_whole_and_loads_nothing(page: Callable[..., str], kind: str) -> None:
    html = page(kind, True)
    read = Reader(html)
    assert read.loads == []
    trust = {"quantiles": ["coverage"], "numbers": ["residuals", "residual_histogram"]}
    shap = ["shap_mean", "shap"] if kind in ("several", "quantiles") else ["shap"]
    assert read.charts == [
        "curve_0", "importance", "loss_change", *shap, *trust.get(kind, ["calibration", "probabilities"]),
        "tree_0", "tree_1", "tree_2",
    ]  # fmt: skip
    assert len(html.encode()) < 4_000_000
    assert "all 200 rows of here.parquet" in read.text


def test_model_alone_says_what_data_would_add(page: Callable[..., str]) -> None:
    read = Reader(page("binary", rows=False))
    assert read.charts == ["curve_0", "importance", "tree_0", "tree_1", "tree_2"]
    for shown in (
        "With rows that have labels this also shows how much worse the loss is without each feature.",
        "With rows this shows how each feature moved each prediction, and which way.",
        "With rows that have labels this shows whether probabilities keep what they promise.",
    ):
        assert f"{shown} Run: gbdist report m.cbm --data DATA --target COLUMN" in read.text


def test_names_are_text_and_nothing_else(case: Callable[..., Any]) -> None:
    odd = ['</script><script>alert("x")</script>', "<b>bold</b>", "a & b", "$$x^2$$", "{{ 7 * 7 }}", "äöü 价格 \u2028"]
    draw = np.random.default_rng(0)
    table = pd.DataFrame(draw.normal(size=(300, 6)).astype(np.float32), columns=odd)
    label = np.where(table.sum(axis=1) > 0, "<i>yes</i>", "no & no")
    model = catboost.CatBoostClassifier(iterations=5, depth=3, verbose=False, allow_writing_files=False).fit(
        table, label
    )
    rows = Rows(
        table, (label == "no & no").astype(int) * 0 + (label != model.classes_[0]), "<u>y</u>", "<s>some</s> rows"
    )
    subject = Subject(model, "<h1>m</h1>.cbm", record_of(model), rows, "")
    html = report_page(subject, sections_of(subject))
    read = Reader(html)
    assert read.loads == []
    assert "<script>alert" not in html
    for word in ("<h1>m</h1>.cbm", "<i>yes</i>", "no & no", "<s>some</s> rows"):
        assert word in read.text


def test_many_features_and_classes_stay_small() -> None:
    draw = np.random.default_rng(0)
    table = pd.DataFrame(draw.normal(size=(700, 60)).astype(np.float32)).add_prefix("a feature with a long name ")
    label = np.digitize(table.iloc[:, :12].sum(axis=1), np.linspace(-5, 5, 11))
    model = catboost.CatBoostClassifier(iterations=6, depth=3, verbose=False, allow_writing_files=False)
    model.fit(table, label)
    subject = Subject(model, "m", record_of(model), Rows(table, label.astype(np.int64), "y", "some rows"), "")
    sections = {section.title: section for section in sections_of(subject)}
    assert "The 20 most important of 60 features are shown." in sections["Feature importances"].notes
    bars = sections["Feature importances"].charts[0].model.renderers[0].data_source.data
    assert len(bars["name"]) == 20
    shap = sections["What moved the predictions (SHAP)"]
    assert "The 8 of 12 raw values that move most are shown." in shap.notes
    assert "The 8 most frequent of 12 classes are shown." in sections["Calibration"].notes
    assert len(report_page(subject, list(sections.values())).encode()) < 6_000_000


def test_page_without_any_chart(case: Callable[..., Any]) -> None:
    read = Reader(report_page(case("numbers").subject(), [Section("Curves", "", notes=("There is nothing to draw.",))]))
    assert (read.charts, read.loads) == ([], [])
    assert "There is nothing to draw." in read.text
