"""All kernels of the trainer, for rows on a card; ``cpu`` has the same names for rows in the host's memory."""

from gbdist.kernels.cuda_histogram import pack_cells, pack_wide_cells, pick_rows, split_parents
from gbdist.kernels.cuda_losses import (
    add_logistic_leaf_sums,
    add_residual_leaf_sums,
    add_softmax_leaf_sums,
    logistic_derivatives,
    residual_derivatives,
    softmax_derivatives,
)
from gbdist.kernels.cuda_metrics import add_brier_sums, add_logistic_sums, add_residual_sums, add_softmax_sums
from gbdist.kernels.cuda_rows import (
    absolute_sums,
    add_leaf_values,
    apply_draws,
    bucket_norms,
    clear_leaves,
    draw_bayesian,
    draw_bernoulli,
    draw_mvs,
    drop_level,
    gradient_norms,
    mark_drawn,
    split_leaves,
    take_rows,
    weigh_draws,
    weight_sum,
)
from gbdist.kernels.cuda_split import best_borders

__all__ = [
    "absolute_sums",
    "add_brier_sums",
    "add_leaf_values",
    "add_logistic_leaf_sums",
    "add_logistic_sums",
    "add_residual_leaf_sums",
    "add_residual_sums",
    "add_softmax_leaf_sums",
    "add_softmax_sums",
    "apply_draws",
    "best_borders",
    "bucket_norms",
    "clear_leaves",
    "draw_bayesian",
    "draw_bernoulli",
    "draw_mvs",
    "drop_level",
    "gradient_norms",
    "logistic_derivatives",
    "mark_drawn",
    "pack_cells",
    "pack_wide_cells",
    "pick_rows",
    "residual_derivatives",
    "softmax_derivatives",
    "split_leaves",
    "split_parents",
    "take_rows",
    "weigh_draws",
    "weight_sum",
]
