"""All parameters of an estimator, checked before any data are seen: ours, and CatBoost's own."""

from collections.abc import Mapping
from dataclasses import replace

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.aggregation import AGGREGATION, Aggregation, aggregation_of
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.parameters.native import canonical_native
from gbdist.quantize.unbinned import KINDS

#: Parameters that are neither CatBoost's nor about aggregation.
_OURS = ("cat_nan", "bins_on_disk")


def check_parameters(
    given: Mapping[str, object], *, classifier: bool, ranker: bool = False
) -> tuple[Aggregation | None, dict[str, object]]:
    """What ``train`` wants as aggregation (None: histograms) and as CatBoost's parameters. Raises ParameterError."""
    aggregation = aggregation_of({name: value for name, value in given.items() if name in AGGREGATION})
    checked_cat_nan(given.get("cat_nan"))
    on_disk = checked_bins_on_disk(given.get("bins_on_disk"))
    of_catboost = {name: value for name, value in given.items() if name not in AGGREGATION and name not in _OURS}
    if aggregation is None:
        parameters = canonical(of_catboost, classifier=classifier, ranker=ranker)
        if on_disk:
            _require_cpu(parameters.get("task_type", "CPU"))
        return None, parameters
    if on_disk:
        expected = "False or 'auto' with aggregate='models': CatBoost's own pools are in memory"
        raise ParameterError("bins_on_disk", True, expected, "Leave it out, or leave aggregate out.")
    checked = canonical_native(of_catboost, classifier=classifier, ranker=ranker)
    return _for_columns(aggregation, checked), checked


def checked_cat_nan(given: object) -> str | None:
    """The text that stands for missing values in categorical columns, None for none; ParameterError for anything else."""
    if given is None or isinstance(given, str):
        return given
    expected = "the text that stands for missing values in categorical columns"
    raise ParameterError("cat_nan", given, expected, 'Write cat_nan="missing", for example.')


def checked_bins_on_disk(given: object) -> bool | None:
    """Whether bins are to lie on disk, None where that is to be decided; ParameterError for anything else."""
    if given is None or given == "auto":
        return None
    if isinstance(given, bool):
        return given
    fix = "Leave it out: bins go to disk where memory has no room for them."
    raise ParameterError("bins_on_disk", given, "'auto', True or False", fix)


def _require_cpu(task_type: object) -> None:
    if task_type != "CPU":
        expected = f"False or 'auto' with task_type={task_type!r}: a GPU is fed from memory"
        raise ParameterError("bins_on_disk", True, expected, "Leave it out, or set task_type='CPU'.")


def _for_columns(aggregation: Aggregation, checked: Mapping[str, object]) -> Aggregation:
    """One round that keeps one model where columns are not binned: CatBoost cannot add such models up.

    (``sum_models`` refuses text and embeddings. Tables of categories it either mixes, which changes the predictions, or keeps all
    of, and such a sum cannot be saved: catboost/libs/model/ctr_data.cpp.)
    """
    named = next((parameter for parameter in KINDS.values() if checked.get(parameter)), None)
    if named is None:
        return aggregation
    why = f"with {named}: CatBoost cannot add such models up"
    if aggregation.merge != "best":
        raise ParameterError("merge", aggregation.merge, f"'best' {why}", 'Set merge="best".')
    if aggregation.rounds not in (None, 1):
        raise ParameterError("rounds", aggregation.rounds, f"1 {why}", "Set rounds=1, or leave it out.")
    return replace(aggregation, rounds=1)
