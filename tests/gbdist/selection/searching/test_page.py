"""The page about a search shows the trials of ``cv_results_`` under their numbers, and nothing of what was cut off."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial
from sklearn.exceptions import NotFittedError

from gbdist import DaskCatBoostRegressor, ParameterError
from gbdist.selection import DaskSearchCV
from gbdist.selection.searching.page import search_facts
from gbdist.selection.searching.samplers import NUMBER
from gbdist.selection.searching.study import _EARLIER, ERROR, RESULT

DRAW = np.random.default_rng(3)
VALUES = DRAW.normal(size=(60, 3)).astype(np.float32)
LABEL = VALUES[:, 0] + DRAW.normal(size=60) * 0.1


def test_trials_have_the_numbers_of_the_search() -> None:
    def trial(state: TrialState, number: int | None, value: float | None = None, **attributes: Any) -> Any:
        told = attributes if number is None else {NUMBER: number, **attributes}
        return create_trial(
            state=state,
            value=value,
            params={"depth": 3},
            distributions={"depth": IntDistribution(2, 6)},
            user_attrs=told,
        )

    storage = optuna.storages.InMemoryStorage()
    name = storage.get_study_name_from_id(storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "s"))
    study = optuna.Study(name, storage)
    study.add_trials(
        [
            trial(TrialState.COMPLETE, None, 0.99, **{_EARLIER: True}),
            trial(TrialState.COMPLETE, 1, 0.5, **{RESULT: {"curve": [[0, 0.2], [9, 0.5]]}}),
            trial(TrialState.FAIL, 0),  # cut off, and run again
            trial(TrialState.FAIL, 2, **{ERROR: "DataError: no"}),
            trial(TrialState.COMPLETE, 0, 0.4),
            trial(TrialState.WAITING, 3),
        ]
    )
    facts = search_facts(study, "AUC", [("Folds", "3")])
    assert [(one.number, one.state, one.value, one.curve, one.error) for one in facts.trials] == [
        (0, "complete", 0.4, (), ""),
        (1, "complete", 0.5, ((0, 0.2), (9, 0.5)), ""),
        (2, "failed", None, (), "DataError: no"),
    ]
    assert (facts.scoring, facts.greater_is_better, facts.details) == ("AUC", True, (("Folds", "3"),))


def test_page_of_a_fitted_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    estimator = DaskCatBoostRegressor(iterations=5, verbose=False)
    search = DaskSearchCV(
        estimator, {"depth": [1, 2, 3]}, search="grid", cv=2, scoring="neg_root_mean_squared_error", verbose=False
    )
    with pytest.raises(NotFittedError):
        search.plot()
    search.fit(VALUES, LABEL)
    assert search.plot() == tmp_path / "search.html"
    html = (tmp_path / "search.html").read_text()
    best = search.best_index_
    for told in (
        "neg_root_mean_squared_error (greater is better)",
        f"{search.best_score_:.6g}, trial {best}",
        'data-chart="learning"',
        "<td>DaskCatBoostRegressor</td>",
        "<td>grid</td>",
    ):
        assert told in html
    curve = dict(search_facts(search.study_, "").trials[best].curve)
    assert list(curve) == [1, 2, 3, 4, 5]
    assert curve[5] == pytest.approx(search.best_score_)
    file = io.StringIO()
    assert search.plot(file) is None
    assert "Search report by gbdist" in file.getvalue()
    with pytest.raises(ParameterError) as caught:
        search.plot(tmp_path)
    assert str(caught.value) == (
        f"path='{tmp_path}' cannot be used: expected a file, and this is a folder. Name a file in a folder that is there, or "
        "leave path out: the page is then search.html in the current folder."
    )
