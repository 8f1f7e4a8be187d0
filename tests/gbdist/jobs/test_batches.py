"""What CatBoost is given of a batch of rows."""

from decimal import Decimal

import numpy as np
import pyarrow as pa

from gbdist.jobs.batches import feature_matrix


def test_feature_matrix_takes_every_kind_of_number() -> None:
    batch = pa.RecordBatch.from_pydict(
        {
            "bool": pa.array([True, None, False]),
            "int": pa.array([1, None, 3]),
            "decimal": pa.array([Decimal("1.5"), None, Decimal("2.5")]),
            "null": pa.nulls(3),
            "large": pa.array([1e300, -1e300, 0.1]),
        }
    )
    matrix = feature_matrix(batch, "a.parquet")
    nan, inf = float("nan"), float("inf")
    expected = [[1, nan, 0], [1, nan, 3], [1.5, nan, 2.5], [nan, nan, nan], [inf, -inf, np.float32(0.1)]]
    assert matrix.flags.f_contiguous
    assert np.array_equal(matrix.T, np.array(expected, np.float32), equal_nan=True)
