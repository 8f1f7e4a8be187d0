"""Model files looked at, written anew and put together: what ``gbdist model`` does, callable from Python."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gbdist.compression.exports import FORMATS, Export, export_model
from gbdist.compression.figures import figures_of
from gbdist.compression.merging import merge_models
from gbdist.errors import ParameterError
from gbdist.jobs.model_rows import rows_for
from gbdist.jobs.models import load_model, model_of_file, read_model
from gbdist.jobs.outputs import require_not_read, require_writable_file
from gbdist.models.catboost_reading import from_catboost
from gbdist.models.cbm_size import size_of_cbm
from gbdist.models.history import record_of
from gbdist.models.loss import described_loss, training_params
from gbdist.models.split_counts import split_counts
from gbdist.models.tree import ObliviousTree
from gbdist.whole_file import whole_file

#: Rows that are read for the categories that a model knows.
MOST_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model file holds.

    Parameters
    ----------
    model : the file
    loss : as CatBoost writes it, None where the model does not tell
    classes : labels of a classifier
    dimension : raw values a row
    trees, leaves : numbers of them
    kind_of_trees : "symmetric" or "non-symmetric"
    depth : of the deepest symmetric tree; None for others
    columns : columns that the model was trained on, and those of them that are categorical
    columns_in_use : times that trees test each column, the most used first
    borders : distinct tests
    categories_in_tables : categories that statistics have counts of
    bytes : of the file, by what they hold
    cost : units of the fixed model of a prediction's time
    rows_trained_on : None where the model does not tell
    params : the parameters that the training was given
    """

    model: Path
    loss: str | None
    classes: tuple[Any, ...]
    dimension: int
    trees: int
    leaves: int
    kind_of_trees: str
    depth: int | None
    columns: int
    categorical: tuple[str, ...]
    columns_in_use: dict[str, int]
    borders: int
    categories_in_tables: int
    bytes: dict[str, int]
    cost: float
    rows_trained_on: int | None
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """What was put together: the file, of how many models, with how many trees."""

    output: Path
    models: int
    trees: int
    bytes: int


def show(path: Path) -> ModelFacts:
    """What a model in CatBoost's ``.cbm`` format holds.

    Raises
    ------
    ModelError
        It cannot be read, or has what no ensemble holds (``from_catboost``).
    """
    blob = read_model(path)
    model = load_model(str(path), blob=blob)
    ensemble = from_catboost(model)
    figures = figures_of(ensemble, model)
    size = size_of_cbm(blob)
    symmetric = all(isinstance(tree, ObliviousTree) for tree in ensemble.trees)
    tests = {name: counts.total() for name, counts in split_counts(model).items()}
    record = record_of(model)
    return ModelFacts(
        model=path,
        loss=described_loss(model),
        classes=ensemble.class_names or (),
        dimension=ensemble.dimension,
        trees=figures.trees,
        leaves=figures.leaves,
        kind_of_trees="symmetric" if symmetric else "non-symmetric",
        depth=max((tree.depth for tree in ensemble.trees if isinstance(tree, ObliviousTree)), default=None),
        columns=len(ensemble.feature_names),
        categorical=tuple(ensemble.feature_names[at] for at in ensemble.categories.positions),
        columns_in_use=dict(sorted(tests.items(), key=lambda each: (-each[1], each[0]))),
        borders=figures.borders,
        categories_in_tables=figures.tables,
        bytes={"total": size.total, **asdict(size)},
        cost=figures.cost,
        rows_trained_on=None if record is None else record.rows,
        params=dict(training_params(model).get("flat_params", {})),
    )


def export(
    model: Path,
    output: Path,
    format_: str | None = None,
    data: Sequence[str] = (),
    cat_nan: str | None = None,
    leaves: str | int = "float64",
) -> Export:
    """Write a ``.cbm`` in another format and check it by predicting with it, see ``gbdist.compression.exports``.

    ``data`` are files with all categories that the model knows, for C++ and Python files; ``leaves`` is as of ``export_model``.

    Raises
    ------
    ModelError
        The model cannot be read, or the file would not predict as it does.
    ParameterError
        An unknown format, or no ``data`` where they are needed.
    OutputError
        The file cannot be written.
    """
    require_writable_file(output)
    require_not_read(output, [str(model), *data])
    if format_ is not None and format_ not in FORMATS:
        raise ParameterError("--format", format_, f"one of {', '.join(FORMATS)}", "Choose one of them.")
    found = model_of_file(model)
    rows = rows_for(found, data, cat_nan, MOST_ROWS) if data else None
    return export_model(found, output, format_, rows, leaves)


def merge(models: Sequence[Path], output: Path, weights: Sequence[float] | None = None) -> Merged:
    """Write one model whose raw predictions are the weighted sum of some, by default their mean, see ``merge_models``.

    Raises
    ------
    ModelError
        A model cannot be read, or they were not trained for the same.
    ParameterError
        ``weights`` are not one number for each.
    OutputError
        The file cannot be written.
    """
    require_writable_file(output)
    require_not_read(output, [str(path) for path in models])
    found = [model_of_file(path) for path in models]
    merged = merge_models(found, weights)
    with whole_file(output) as unfinished:
        merged.save_model(str(unfinished), format="cbm")
    return Merged(output, len(found), int(merged.tree_count_), output.stat().st_size)
