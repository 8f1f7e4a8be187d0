"""A study of Optuna's becomes facts: states, spaces that changed, categories of all kinds, importances or why not."""

import warnings
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from gbdist.errors import ParameterError
from gbdist.report.study import Dimension, facts_of
from gbdist.report.study.reading import FEWEST_FOR_IMPORTANCES


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def study_of(*trials: Any, direction: str = "maximize") -> optuna.Study:
    study = optuna.create_study(study_name="adult", direction=direction)
    study.add_trials(trials)
    return study


RATE, DEPTH = FloatDistribution(0.01, 1.0, log=True), IntDistribution(2, 8)
CHOICES = CategoricalDistribution((True, None, "1", 1))


def test_trials_of_all_states_are_told() -> None:
    params: dict[str, Any] = {"params": {"rate": 0.1, "flag": None}, "distributions": {"rate": RATE, "flag": CHOICES}}
    study = study_of(
        create_trial(state=TrialState.COMPLETE, value=0.5, intermediate_values={1: 0.4, 0: 0.2}, **params),
        create_trial(state=TrialState.PRUNED, intermediate_values={0: 0.1, 5: 0.3}, **params),
        create_trial(state=TrialState.FAIL),
        create_trial(state=TrialState.RUNNING, **params),
        create_trial(state=TrialState.WAITING),
    )
    facts = facts_of(study, scoring="roc_auc", details=[("Folds", "5")])
    assert (facts.name, facts.scoring, facts.greater_is_better) == ("adult", "roc_auc", True)
    assert facts.details == (("Folds", "5"),)
    assert [(one.number, one.state, one.value, one.curve, one.error) for one in facts.trials] == [
        (0, "complete", 0.5, ((0, 0.2), (1, 0.4)), ""),
        (1, "pruned", 0.3, ((0, 0.1), (5, 0.3)), ""),
        (2, "failed", None, (), ""),
        (3, "running", None, (), ""),
    ]
    assert facts.trials[0].params == {"rate": 0.1, "flag": "None"}
    assert facts.trials[0].seconds is not None
    assert facts.trials[3].seconds is None


def test_space_is_that_of_all_trials() -> None:
    def trial(**given: tuple[Any, Any]) -> Any:
        return create_trial(
            value=1.0,
            params={name: value for name, (value, _) in given.items()},
            distributions={name: distribution for name, (_, distribution) in given.items()},
        )

    study = study_of(
        trial(rate=(0.1, RATE), depth=(4, DEPTH)),
        trial(rate=(0.001, FloatDistribution(0.0, 0.5)), flag=("1", CHOICES)),
        trial(depth=("deep", CategoricalDistribution(("deep",)))),
    )
    facts = facts_of(study)
    assert facts.space == (
        Dimension("rate", "number", 0.0, 1.0, log=False),
        Dimension("depth", "integer", 2.0, 8.0),
        # Two of the choices are written alike.
        Dimension("flag", "category", choices=("True", "None", "'1'", "1")),
    )
    assert [trial.params for trial in facts.trials] == [
        {"rate": 0.1, "depth": 4}, {"rate": 0.001, "flag": "'1'"}, {},
    ]  # fmt: skip


def _line(n: int) -> optuna.Study:
    """Only the rate matters."""
    return study_of(*(
        create_trial(params={"rate": 0.01 * (i + 1), "depth": 2 + i * 5 % 7}, distributions={"rate": RATE, "depth": DEPTH},
                     value=float(i))
        for i in range(n)
    ))  # fmt: skip


def test_importances_are_optunas_and_add_up_to_one() -> None:
    study = _line(60)
    facts = facts_of(study)
    assert not isinstance(facts.importances, str)
    assert list(facts.importances) == ["rate", "depth"]
    assert sum(facts.importances.values()) == pytest.approx(1.0)
    assert facts.importances == facts_of(study).importances
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    assert facts.importances == pytest.approx(optuna.importance.get_param_importances(study, evaluator=evaluator))


@pytest.mark.parametrize(
    ("study", "reason"),
    [
        (
            lambda: study_of(),
            "Which parameters matter cannot be said of 0 complete trial(s); at least 4 complete trials are needed.",
        ),
        (lambda: _line(FEWEST_FOR_IMPORTANCES - 1), "cannot be said of 3 complete trial(s)"),
        (
            lambda: study_of(
                *(create_trial(params={"depth": i}, distributions={"depth": DEPTH}, value=7.0) for i in (2, 3, 4, 5))
            ),
            "All complete trials have the value 7, so that no parameter mattered.",
        ),
        (
            lambda: study_of(*(create_trial(value=float(i)) for i in range(6))),
            "The best trials have the same values of all parameters as the others, as far as so few can tell.",
        ),
    ],
)
def test_reason_stands_where_importances_cannot_be_told(study: Any, reason: str) -> None:
    assert reason in str(facts_of(study()).importances)


def test_studies_of_several_values_are_refused() -> None:
    study = optuna.create_study(study_name="two", directions=["minimize", "maximize"])
    with pytest.raises(ParameterError) as caught:
        facts_of(study)
    assert str(caught.value) == (
        "study='two' cannot be used: expected one value a trial, not 2. Draw one of its values at a time with "
        "optuna.visualization."
    )
