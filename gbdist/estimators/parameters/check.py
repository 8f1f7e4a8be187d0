"""All parameters of an estimator, checked before any data are seen: how ranks' work is added up, and CatBoost's own."""

from collections.abc import Mapping

from gbdist.estimators.parameters.aggregation import AGGREGATION, Aggregation, aggregation_of
from gbdist.estimators.parameters.canonical import canonical
from gbdist.estimators.parameters.native import canonical_native


def check_parameters(given: Mapping[str, object], *, classifier: bool) -> tuple[Aggregation | None, dict[str, object]]:
    """What ``train`` wants as aggregation (None: histograms) and parameters. Raises ParameterError."""
    aggregation = aggregation_of({name: value for name, value in given.items() if name in AGGREGATION})
    check = canonical if aggregation is None else canonical_native
    return aggregation, check(
        {name: value for name, value in given.items() if name not in AGGREGATION}, classifier=classifier
    )
