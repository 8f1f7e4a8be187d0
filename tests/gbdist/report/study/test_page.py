"""The page about a search is one file: whole, small, and loading nothing, whatever parameters are called."""

from collections.abc import Callable
from typing import Any

from gbdist.report.study import Dimension, StudyFacts, TrialFacts, study_page

from ..test_page import Reader

Make = Callable[..., StudyFacts]


def test_page_has_all_sections_and_facts(study: Make) -> None:
    facts = study(details=(("Search", "random"),))
    html = study_page(facts)
    read = Reader(html)
    assert read.loads == []
    assert read.charts == [
        "history", "importances", "parallel", "slice_0", "slice_1", "slice_2", "slice_3", "learning",
    ]  # fmt: skip
    assert facts.best is not None
    for told in (
        "Search report by gbdist",
        "40 (31 complete, 4 pruned, 4 failed, 1 running)",
        f"{facts.best.value:.6g}, trial {facts.best.number}",
        "ParameterError: depth=0 cannot be used",
        "random",
    ):
        assert told in read.text
    assert len(html.encode()) < 2_000_000


def test_names_are_text_and_nothing_else(study: Make) -> None:
    odd = '</script><script>alert("x")</script>'
    trials = tuple(
        TrialFacts(i, "complete" if i else "failed", float(i) if i else None, {odd: f"<b>{i}</b>"}, error="<i>no</i>")
        for i in range(4)
    )
    space = (Dimension(odd, "category", choices=tuple(f"<b>{i}</b>" for i in range(4))),)
    read = Reader(
        study_page(study(name="<u>s</u>", scoring="<s>auc</s>", trials=trials, space=space, importances={odd: 1.0}))
    )
    assert read.loads == []
    for word in ("<u>s</u>", "<s>auc</s>", "<b>3</b>", "<i>no</i>"):
        assert word in read.text
    assert '<script>alert("x")' not in study_page(study(trials=trials, space=space))


def test_many_trials_make_a_small_page(study: Make) -> None:
    names = [f"parameter_{k}" for k in range(10)]
    curve: tuple[tuple[int, float], ...] = tuple((i, 1.0 / (i + 1)) for i in range(200))
    trials: list[Any] = [
        TrialFacts(i, "complete", i / 7, {name: i * (k + 1) / 3 for k, name in enumerate(names)}, curve, 1.0)
        for i in range(5_000)
    ]
    space = tuple(Dimension(name, "number") for name in names)
    html = study_page(study(trials=tuple(trials), space=space, importances="none"))
    assert len(html.encode()) < 6_000_000


def test_searches_without_trials_or_without_scores(study: Make) -> None:
    empty = Reader(study_page(study(trials=())))
    assert (empty.charts, empty.loads) == ([], [])
    assert "No trial has begun, so there is nothing to draw." in empty.text
    failed = Reader(study_page(study(trials=(TrialFacts(0, "failed", None, {"depth": 3}, error="DataError: no"),))))
    assert "none: no trial is complete" in failed.text
    assert "DataError: no" in failed.text
