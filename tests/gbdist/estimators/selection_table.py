"""A table for selections: some of its columns matter, the others do not."""

import numpy as np
import pandas as pd

HOW = {"iterations": 12, "depth": 4, "learning_rate": 0.3, "random_strength": 0.0, "leaf_estimation_iterations": 1}
NAMES = ["n0", "good", "n1", "best", "n2", "kind", "n3"]
GOOD = [1, 3, 5]


def made(n_rows: int) -> pd.DataFrame:
    """ "good", "best" and the category "kind" make "y", the other columns do not; "g" are groups, "w" weights."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(n_rows, 7)).astype(np.float32), columns=NAMES)
    table["kind"] = rng.choice(list("uvwx"), n_rows)
    table["y"] = 2 * table.best + 1.5 * table.good + 2 * (table.kind == "u") + rng.normal(size=n_rows) * 0.1
    return table.assign(g=np.arange(n_rows) // 7, w=(0.5 + rng.random(n_rows)).astype(np.float32))
