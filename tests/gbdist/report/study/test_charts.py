"""Charts show the trials that they say they show, at the values that these had."""

from collections.abc import Callable

import numpy as np
import pytest

from gbdist.report.study import Dimension, StudyFacts, TrialFacts
from gbdist.report.study.columns import ABSENT, MOST_LINES, MOST_MARKS, MOST_TRIALS, Drawn, best_and_some
from gbdist.report.study.facts import STATES
from gbdist.report.study.history import best_so_far, history_section
from gbdist.report.study.importance import importance_section
from gbdist.report.study.learning import MOST_POINTS, learning_section, thinned
from gbdist.report.study.parallel import parallel_section
from gbdist.report.study.slices import slices_section
from gbdist.report.study.table import MOST_ROWS, trials_section

Make = Callable[..., StudyFacts]


def test_best_trial_lies_on_top_and_lines_are_scaled(study: Make) -> None:
    facts = study()
    drawn = Drawn(facts)
    assert drawn.trials[-1] is facts.best
    assert [one.name for one in drawn.dimensions] == ["rate", "policy", "depth", "leaves"]  # by importance
    assert drawn.constants == [("border_count", 128)]
    columns = drawn.source.data
    rates = np.array([trial.params["rate"] for trial in drawn.trials])
    assert columns["x_0"].tolist() == rates.tolist()
    scaled = (np.log(rates) - np.log(rates.min())) / (np.log(rates.max()) - np.log(rates.min()))
    assert columns["y_0"] == pytest.approx(scaled, abs=1e-6)
    lacking = np.array(["leaves" not in trial.params for trial in drawn.trials])
    assert 0 < lacking.sum() < len(lacking)
    assert (columns["y_3"] == np.float32(ABSENT)).tolist() == lacking.tolist()
    places = [["Symmetric", "Depthwise", "Lossguide"].index(trial.params["policy"]) for trial in drawn.trials]
    assert columns["x_1"].round().tolist() == places  # beside each other, but nearest to their own category
    assert columns["y_1"].tolist() == [place / 2 for place in places]


def test_ranks_are_those_of_complete_trials(study: Make) -> None:
    for greater in (True, False):
        drawn = Drawn(study(greater_is_better=greater))
        complete = [trial.state == "complete" for trial in drawn.trials]
        assert np.isnan(drawn.ranks).tolist() == [not each for each in complete]
        values, ranks = drawn.values[complete], drawn.ranks[complete]
        assert ranks[np.argmax(values)] == (1.0 if greater else 0.0)
        assert (np.diff(ranks[np.argsort(values)]) > 0).all() == greater


def test_many_trials_are_thinned_to_the_best_and_some(study: Make) -> None:
    trials = tuple(TrialFacts(i, "complete", float(i % 997), {"depth": i % 9}) for i in range(MOST_TRIALS + 2_000))
    facts = study(trials=trials, space=(Dimension("depth", "integer", 0, 8),))
    drawn = Drawn(facts)
    assert len(drawn.trials) == MOST_TRIALS
    best = sorted((trial.value or 0.0 for trial in trials), reverse=True)[: MOST_TRIALS // 2]
    assert sorted(drawn.values, reverse=True)[: MOST_TRIALS // 2] == best
    assert drawn.values.min() == 0.0
    assert (
        "5,000 of 7,000 trials are drawn: the best half of these, and others evenly chosen."
        in history_section(drawn).notes
    )
    section = trials_section(drawn)
    assert section.table is not None
    assert len(section.table.rows) == MOST_ROWS
    assert section.notes == ("The best 1,000 of 7,000 trials are listed.",)


def test_crowded_charts_draw_fewer_trials(study: Make) -> None:
    n = 2_500
    trials = tuple(TrialFacts(i, "complete" if i % 2 else "pruned", float(i), {"depth": i % 9}) for i in range(n))
    drawn = Drawn(study(trials=trials, space=(Dimension("depth", "integer", 0, 8),)))
    for section, most in ((parallel_section(drawn), MOST_LINES), (slices_section(drawn), MOST_MARKS)):
        renderers = [each for each in section.charts[0].model.renderers if each.data_source is drawn.source]
        places = sorted(at for each in renderers for at in each.view.filter.indices)
        assert places == best_and_some(n, most).tolist()
        told = f"{most:,} of 2,500 trials are drawn: the best half of these, and others evenly chosen."
        assert told in section.notes
    assert history_section(drawn).notes == (
        "1,250 trial(s) were pruned, which is to say ended early; theirs is the last score they had.",
    )


def test_best_and_some_stand_for_all() -> None:
    assert best_and_some(7, 7).tolist() == list(range(7))
    assert best_and_some(10, 5).tolist() == [0, 4, 7, 8, 9]
    assert best_and_some(0, 5).tolist() == []


def test_line_of_the_best_follows_complete_trials(study: Make) -> None:
    facts = study()
    numbers, scores = best_so_far(facts)
    top, expected = -np.inf, []
    for trial in facts.trials:
        if trial.state == "complete" and trial.value is not None and trial.value > top:
            top = trial.value
            expected.append((trial.number, top))
    assert list(zip(numbers.tolist(), scores.tolist(), strict=True)) == expected


def test_history_has_a_layer_for_each_state_with_a_score(study: Make) -> None:
    drawn = Drawn(study())
    section = history_section(drawn)
    views = [each.view.filter.indices for each in section.charts[0].model.renderers if each.data_source is drawn.source]
    assert [{drawn.trials[at].state for at in view} for view in views] == [{"complete"}, {"pruned"}, {"running"}]
    assert sum(map(len, views)) == sum(trial.state != "failed" for trial in drawn.trials)
    assert section.notes == (
        "4 trial(s) were pruned, which is to say ended early; theirs is the last score they had.",
        "4 trial(s) have no score yet or never had one; the table has them.",
    )


def test_trials_astray_are_told(study: Make) -> None:
    trials = tuple(TrialFacts(i, "complete", value, {}) for i, value in enumerate((1.0, 1.1, 1.2, 1.3, 1e9)))
    drawn = Drawn(study(trials=trials, greater_is_better=False))
    assert drawn.source.data["height"].max() == pytest.approx(2.2)
    assert history_section(drawn).notes == (
        "1 trial(s) worse than 2.2 are drawn there, so that others can be told apart.",
    )


def test_slices_and_lines_show_what_varied(study: Make) -> None:
    drawn = Drawn(study())
    slices = slices_section(drawn)
    assert [chart.heading for chart in slices.charts] == ["rate", "policy", "depth", "leaves"]
    assert slices.notes == ("The same in all trials: border_count (128).",)
    assert type(slices.charts[0].model.x_scale).__name__ == "LogScale"
    lines = parallel_section(drawn)
    assert lines.charts[0].model.xaxis[0].major_label_overrides == {
        0: "rate", 1: "policy", 2: "depth", 3: "leaves", 4: "roc_auc",
    }  # fmt: skip
    assert lines.notes == (
        "The same in all trials: border_count (128).",
        "Lines pass below an axis, at “none”, where a trial had no value.",
        "Drawn on a scale of logarithms: rate.",
    )


def test_least_important_of_many_parameters_are_left_out(study: Make) -> None:
    names = [f"p{k}" for k in range(14)]
    trials = tuple(
        TrialFacts(i, "complete", float(i), {name: i * (k + 1) for k, name in enumerate(names)}) for i in range(5)
    )
    space = tuple(Dimension(name, "integer") for name in names)
    drawn = Drawn(study(trials=trials, space=space, importances={name: k / 91 for k, name in enumerate(names)}))
    assert [one.name for one in drawn.dimensions] == names[:3:-1]
    assert slices_section(drawn).notes == ("The 10 most important of 14 parameters are shown.",)
    unknown = Drawn(study(trials=trials, space=space, importances="so few"))
    assert [one.name for one in unknown.dimensions] == names[:10]
    assert slices_section(unknown).notes == ("The 10 first of 14 parameters are shown.",)


def test_importances_or_the_reason(study: Make) -> None:
    section = importance_section(study())
    assert section.charts[0].model.renderers[0].data_source.data["name"] == ["rate", "policy", "depth", "leaves"]
    assert section.notes == ("They come from 31 complete trials; with fewer than 50 they are a rough guess.",)
    told = importance_section(study(importances="Nobody knows."))
    assert (told.charts, told.notes) == ((), ("Nobody knows.",))


def test_curves_are_thinned_and_the_best_kept(study: Make) -> None:
    drawn = Drawn(study())
    section = learning_section(drawn)
    (chart,) = section.charts
    curves = chart.model.renderers[0].data_source.data
    assert len(curves["x"]) == sum(len(trial.curve) > 1 for trial in drawn.trials)
    assert curves["y"][-1].tolist() == [value for _, value in drawn.trials[-1].curve]
    assert section.notes == ()
    x, y = thinned(TrialFacts(0, "complete", 1.0, {}, tuple((i, np.inf if i == 0 else 1.0 / i) for i in range(2_000))))
    assert (len(x), x[-1], np.isnan(y[0])) == (MOST_POINTS, 1999.0, True)


def test_words_where_nothing_can_be_drawn(study: Make) -> None:
    drawn = Drawn(study(trials=(TrialFacts(0, "complete", 1.0, {"depth": 3}),)))
    assert learning_section(drawn).notes == ("Trials told their scores at their end alone, so there are no curves.",)
    assert parallel_section(drawn).notes == ("No parameter had more than one value, so there is nothing to compare.",)
    assert slices_section(drawn).notes == ("No parameter had more than one value.",)


def test_table_lists_the_best_first_and_says_why_trials_failed(study: Make) -> None:
    drawn = Drawn(study())
    table = trials_section(drawn).table
    assert table is not None
    assert table.columns == (
        "trial", "state", "roc_auc", "seconds", "rate", "depth", "policy", "leaves", "border_count", "error",
    )  # fmt: skip
    assert (table.marked, table.rows[0][0].key) == (0, drawn.trials[-1].number)
    scores = [row[2].key for row in table.rows if row[1].text == "complete"]
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    failed = [row for row in table.rows if row[1].text == "failed"]
    assert {row[-1].text for row in failed} == {"ParameterError: depth=0 cannot be used"}
    assert {row[2].key for row in failed} == {None}
    any_lacking = next(row for row in table.rows if row[6].text != "Lossguide")
    assert (any_lacking[7].text, any_lacking[7].key) == ("", None)
    assert table.tags == tuple(str(at) for at in range(39, -1, -1))
    assert set(STATES) == {row[1].text for row in table.rows}
