"""The model that a job is given."""

from pathlib import Path
from typing import Any

from gbdist.errors import ModelError


def model_of_file(path: Path) -> Any:
    """The ``catboost.CatBoost`` of a ``.cbm`` file; ``ModelError`` if it is not there, or is none."""
    return load_model(str(path), blob=read_model(path))


def read_model(path: Path) -> bytes:
    """Bytes of a model file; raises ``ModelError`` if it is not there."""
    try:
        return path.read_bytes()
    except OSError as error:
        problem = f"the model {path} cannot be read: {error.strerror}"
        fix = "Train one with: gbdist train DATA --target COLUMN -o model.cbm"
        raise ModelError(problem, "Name a .cbm file." if path.is_dir() else fix) from error


def load_model(name: str, **source: Any) -> Any:
    """The ``catboost.CatBoost`` of a ``.cbm``, which is ``fname`` or ``blob``; ``ModelError`` that names it if it is none."""
    import catboost

    try:
        return catboost.CatBoost().load_model(**source)
    except catboost.CatBoostError as error:
        problem = f"{name} is not a CatBoost model in .cbm format"
        raise ModelError(problem, "Name a file that gbdist train wrote.") from error
