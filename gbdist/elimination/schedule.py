"""How many columns each step of a selection eliminates: about the same share of those that are left, as CatBoost does."""

import math


def columns_by_step(n_columns: int, n_wanted: int, n_steps: int) -> tuple[int, ...]:
    """Columns to eliminate after each training, ``n_columns`` − ``n_wanted`` in all, at least one a step.

    Steps for which no column would be left are not taken. The rule is CatBoost's (recursive_features_elimination.cpp,
    CalcNumFeaturesToEliminateBySteps), what is rounded off going to the next step; its steps without a column are left out.

    Parameters
    ----------
    n_columns : columns to choose from
    n_wanted : how many to keep, 1 … n_columns
    n_steps : trainings, at least 1
    """
    n_steps = min(n_steps, n_columns - n_wanted)
    counts, rest = [], 0.0
    share = math.pow(n_wanted / n_columns, 1.0 / n_steps) if n_steps else 1.0
    for step in range(n_steps):
        exact = n_columns * math.pow(share, step) * (1.0 - share) + rest
        counts.append(math.floor(exact + 0.5))  # C++'s round: halves go up
        rest = exact - counts[-1]
    return tuple(count for count in counts if count)
