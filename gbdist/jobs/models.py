"""The model that a job is given."""

from typing import Any

from gbdist.errors import ModelError


def load_model(name: str, **source: Any) -> Any:
    """The ``catboost.CatBoost`` of a ``.cbm``, which is ``fname`` or ``blob``; ``ModelError`` that names it if it is none."""
    import catboost

    try:
        return catboost.CatBoost().load_model(**source)
    except catboost.CatBoostError as error:
        problem = f"{name} is not a CatBoost model in .cbm format"
        raise ModelError(problem, "Name a file that gbdist train wrote.") from error
