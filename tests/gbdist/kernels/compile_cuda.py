"""Compile every CUDA kernel for a card, without one, and say what is wrong with the code: run by ``test_cuda_code``.

Prints a line for each problem, and last how many kernels there were.
"""

import importlib
import re
from typing import Any

import numba.cuda.dispatcher as dispatcher
from numba import boolean, cuda, types
from numba import float32 as f4
from numba import float64 as f8
from numba import int32 as i4
from numba import int64 as i8
from numba import uint8 as u1
from numba import uint16 as u2
from numba import uint32 as u4
from numba import uint64 as u8

CAPABILITY = (8, 0)


class NoCard:
    """Stands for the device that device functions are compiled for."""

    compute_capability = CAPABILITY


def pair(kind: Any) -> Any:
    return types.UniTuple(kind, 2)


FOUR = types.UniTuple(f8, 4)
I1, I2, I3, I4 = i8[::1], i8[:, ::1], i8[:, :, ::1], i8[:, :, :, ::1]
I5 = i8[:, :, :, :, ::1]
F1, F2, F3, F4 = f8[::1], f8[:, ::1], f8[:, :, ::1], f8[:, :, :, ::1]
N1, N2 = i4[::1], i4[:, ::1]
RULE = types.Tuple((i8, f8, f8))
YETI = types.Tuple((i8, f8, i8, i8, boolean, boolean, i8, f8))
LAMBDA = types.Tuple((f8, boolean, i8, boolean, boolean))
PAIRS = (u8[::1], u4[::1], u4[::1])
LABEL = (f4[::1], f4[::1], boolean)
ENDS, NOISE = (f4[::1], *LABEL), types.Tuple((i8, f8))

SIGNATURES: dict[str, dict[str, tuple[Any, ...]]] = {
    "rows": {
        "_absolute_sums": (F1, f8, f8, I1),
        "_weight_sum": (f4[::1], f8, I1),
        "_extend_range": (F1, I1),
        "_scale_values": (f8, F1),
        "_gradient_norms": (F2, f8, F1),
        "_bucket_norms": (F1, i8, f8, I2),
        "_draw_bernoulli": (u8, u8, f8, f4[::1]),
        "_draw_bayesian": (u8, u8, f8, f4[::1]),
        "_draw_mvs": (u8, u8, F1, f8, f4[::1]),
        "_apply_draws": (f4[::1], F1, F1),
        "_weigh_draws": (f4[::1], f4[::1], f4[::1]),
        "_mark_drawn": (f4[::1], u1[::1]),
        "_split_leaves": (u1[::1], i8, i8, u2[::1]),
        "_split_equal_leaves": (u1[::1], i8, i8, u2[::1]),
        "_clear_leaves": (u2[::1],),
        "_drop_level": (u2[::1], i8),
        "_add_leaf_values": (u2[::1], F1, F1),
        "_take_rows": (F1, u4[::1], F1),
        "_take_pairs": (I2, u4[::1], I2),
    },
    "histogram": {
        "_pack_cells": (F1, f4[::1], boolean, pair(f8), pair(u8), u8, I1),
        "_pack_wide_cells": (F1, f4[::1], boolean, pair(f8), pair(u8), u8, I2),
        "_count_picks": (u2[::1], i4[::1], u1[::1], boolean, I1),
        "_write_picks": (u2[::1], i4[::1], u1[::1], boolean, i8, I1, u4[::1], u2[::1]),
        "_add_all_rows": (u1[:, ::1], pair(i8), i8, I1, i8, I3),
        "_add_picked_rows": (u1[:, ::1], pair(i8), i8, u4[::1], u2[::1], I1, pair(i8), I3),
        "_add_picked_rows_to_card": (u2[:, ::1], pair(i8), u4[::1], u2[::1], I1, pair(i8), I3),
        "_add_picked_rows_wide": (u1[:, ::1], pair(i8), u4[::1], u2[::1], I2, pair(i8), I3),
        "_clear_table": (I1,),
        "_split_parents": (I4, I4, u1[::1], I4),
    },
    "losses": {
        "_residual_derivatives": (*LABEL, F1, F1),
        "_logistic_derivatives": (*LABEL, F1, i8, F1),
        "_softmax_derivatives": (*LABEL, F2, F2, F2),
        "_add_residual_leaf_sums": (*LABEL, F1, u2[::1], F2, FOUR, i8, I2),
        "_add_logistic_leaf_sums": (*LABEL, F1, u2[::1], F2, i8, FOUR, i8, I2),
        "_add_softmax_leaf_sums": (*LABEL, F2, u2[::1], F2, FOUR, i8, I2),
    },
    "quantiles": {
        "_residual_keys": (f4[::1], F1, u8[::1]),
        "_add_key_digits": (u8[::1], u2[::1], f4[::1], boolean, f4[::1], boolean, u8[::1], u8, f8, I2),
    },
    "pointwise": {
        "_pointwise_derivatives": (*LABEL, F1, RULE, F1),
        "_add_pointwise_leaf_sums": (*LABEL, F1, u2[::1], F2, RULE, i8, FOUR, i8, I2),
        "_add_pointwise_sums": (*LABEL, F1, RULE, pair(f8), I1),
    },
    "survival": {
        "_survival_derivatives": (*ENDS, F1, NOISE, F1),
        "_add_survival_leaf_sums": (*ENDS, F1, u2[::1], F2, NOISE, FOUR, i8, I2),
        "_add_interval_sums": (*ENDS, F1, pair(f8), I1),
    },
    "uncertainty": {
        "_uncertainty_derivatives": (*LABEL, F2, F2),
        "_add_uncertainty_leaf_sums": (*LABEL, F2, u2[::1], F2, FOUR, i8, I2),
        "_add_uncertainty_sums": (*LABEL, F2, pair(f8), I1),
    },
    "grouped": {
        "_query_rmse_derivatives": (*LABEL, I1, F1, F1, F1, F1),
        "_query_softmax_derivatives": (*LABEL, I1, F1, pair(f8), F1, F1, F1),
        "_label_pair_derivatives": (*LABEL, I1, F1, boolean, F1, F1, f4[::1], F1),
        "_listed_pair_derivatives": (
            types.Tuple((N1, N1, f4[::1])), I1, I1, F1, boolean, F1, F1, f4[::1], F1,
        ),
        "_lambda_mart_derivatives": (f4[::1], I1, F1, LAMBDA, types.Tuple((F1, N1)), F1, F1),
        "_yeti_rank_derivatives": (
            *LABEL, I1, F1, F1, pair(u8[::1]), YETI, types.Tuple((F1, F1, N1)), F1, F1, f4[::1],
        ),
        "_add_row_leaf_sums": (F1, F1, f4[::1], boolean, u2[::1], FOUR, i8, I2),
        "_add_group_losses": (F1, f8, I2),
        "_shift_predictions": (F1, u2[::1], F1, F1),
    },
    "metrics": {
        "_add_residual_sums": (*LABEL, F1, f8, i8, I2),
        "_add_logistic_sums": (*LABEL, F1, i8, pair(f8), I1),
        "_add_brier_sums": (*LABEL, F1, pair(f8), I1),
        "_add_softmax_sums": (*LABEL, F2, F2, pair(f8), I1),
    },
    "split": {
        "_best_borders": (
            I4, I1, u1[::1], I1, F1, types.Tuple((f8, boolean, boolean)), f8, pair(u8), types.Tuple((I3, F3)), F2,
        ),
    },
    "leafwise": {
        "_split_leaf": (u1[::1], i8, i8, i8, u2[::1]),
        "_split_equal_leaf": (u1[::1], i8, i8, i8, u2[::1]),
        "_renumber_leaves": (u2[::1], u2[::1]),
        "_count_leaves": (u2[::1], u1[::1], boolean, I1),
        "_place_children": (I4, i8, I1, I1, I4),
        "_take_leaves": (I4, I1, I1, I3),
        "_best_leaf_borders": (
            I5, i8, I1, I2, u1[::1], I1, F1, types.Tuple((f8, boolean, boolean)), f8, u8[:, ::1], types.Tuple((I4, F4)), F3,
        ),
    },
    "monotone": {
        "_score_monotone": (
            I4, I1, u1[::1], types.Tuple((I1, I2, I1)), F1, types.Tuple((f8, boolean, boolean)), F3, F2,
        ),
        "_choose_borders": (F2, I1, u1[::1], I1, f8, pair(u8), F2),
    },
    "sums": {
        "_sum_tiles": (N1, N1),
        "_scan_tiles": (N1, N1, boolean),
        "_list_rows": (u4[::1],),
        "_count_digits": (u4[::1], i8, N1),
        "_sort_digits": (u4[::1], u4[::1], i8, N1, u4[::1], u4[::1]),
    },
    "coding": {
        "_free_slots": (u4[::1],),
        "_claim_slots": (u8[::1], u4[::1], u8, u4[::1], u4[::1], N1),
        "_mark_first": (u4[::1], u4[::1], N1),
        "_number_rows": (u8[::1], u4[::1], u4[::1], N1, u4[::1], u8[::1]),
        "_forget_rows": (i8, I1),
        "_first_rows": (u4[::1], I1),
        "_mark_places": (*PAIRS, u8, u8[::1]),
        "_count_places": (u8[::1], N1),
        "_number_places": (*PAIRS, u8, u8[::1], N1, u4[::1]),
        "_join_places": (*PAIRS, u8, u8[::1]),
        "_join_keys": (*PAIRS, u8[::1]),
        "_join_outcomes": (u8[::1], boolean[::1], u8, u8[::1]),
    },
    "categories": {
        "_count_classes": (u4[::1], u1[::1], N2),
        "_count_few_classes": (u4[::1], u1[::1], N2),
        "_add_counts": (N2, u4[::1], N2, N2),
        "_describe_counts": (N2, I1, i8, I2),
        "_add_classes": (N2, i8, i8, N1),
        "_take_bins": (u4[::1], u1[::1], u1[::1]),
        "_statistic_bins": (N1, N1, types.Tuple((f4, f4, f4, i8)), u1[::1]),
        "_mark_classes": (u4[::1], u1[::1], N2),
        "_find_edges": (u4[::1], u4[:, ::1]),
        "_learn_bins": (
            pair(u4[::1]), N2, u4[:, ::1], boolean, types.Tuple((N2, u4[::1], boolean)), types.Tuple((I2, f4[:, ::1])), i8,
            u1[:, ::1],
        ),
    },
    "binning": {"_bin_tile": (f4[:, ::1], f4[:, ::1], u4[::1], u4[::1], u1[:, ::1])},
}  # fmt: skip


#: Kernels that try again by design: rows claim slots of a table.
TRYING = {"_claim_slots"}


def problems_of(code: str) -> list[str]:
    """What a kernel's code must not have: products fused with sums, additions by trial, arrays that spill."""
    patterns = {"a fused product": r"\bfma\.", "an addition by trial": r"\batom\S*\.cas", "local memory": r"\.local\b"}
    return [problem for problem, pattern in patterns.items() if re.search(pattern, code)]


def main() -> None:
    dispatcher.get_current_device = lambda: NoCard
    count = 0
    for stage, signatures in SIGNATURES.items():
        module = importlib.import_module(f"gbdist.kernels.cuda_{stage}")
        kernels = {
            name: one
            for name, one in vars(module).items()
            if isinstance(one, dispatcher.CUDADispatcher) and one.__module__ == module.__name__
            if not one.targetoptions.get("device")
        }
        for name in kernels.keys() ^ signatures.keys():
            print(f"{name}: {'has no signature here' if name in kernels else 'is not there'}")
        for name, signature in signatures.items():
            code, _ = cuda.compile_ptx(kernels[name].py_func, signature, cc=CAPABILITY)
            count += 1
            for problem in problems_of(code):
                if name in TRYING and problem == "an addition by trial":
                    continue
                print(f"{name}: {problem}")
    if dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS:
        print("every launch of a few blocks warns")
    print(count)


if __name__ == "__main__":
    main()
