"""What parameters need to know of the data before they can be filled in."""

from dataclasses import dataclass

from gbdist.quantize.unbinned import UnbinnedFacts


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the survey found, over all rows that are trained on.

    Parameters
    ----------
    rows, features : int
    class_names : tuple or None
        The classes in the order of ``classes_``; None for regression, and for CrossEntropy, whose labels are probabilities.
    label_min, label_max : float
        Of the labels as numbers (class numbers for classification).
    weighted : bool
        Whether rows have weights.
    eval_sets : int
        How many there are.
    eval_label_constant : bool
        Whether the labels of the **first** eval set are all the same: CatBoost looks at that one for use_best_model.
    baseline, init_model : bool
        Whether predictions start from a baseline, or from another model.
    class_weight_sums : tuple of float or None
        Σ sample weight of each class, before class weights; needed for auto_class_weights.
    categorical : tuple of UnbinnedFacts
        Columns that are kept as hashes, ascending in position.
    names : tuple of str
        Of all columns, by position; empty where no parameter may name one.
    labels : int
        How many a row has.
    group_weighted : bool
        Whether those weights are of groups.
    """

    rows: int
    features: int
    class_names: tuple[object, ...] | None
    label_min: float
    label_max: float
    weighted: bool = False
    eval_sets: int = 0
    eval_label_constant: bool = False
    baseline: bool = False
    init_model: bool = False
    class_weight_sums: tuple[float, ...] | None = None
    categorical: tuple[UnbinnedFacts, ...] = ()
    names: tuple[str, ...] = ()
    labels: int = 1
    group_weighted: bool = False
