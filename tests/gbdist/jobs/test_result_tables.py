"""Tables that are results are read as they were written."""

from pathlib import Path

import pandas as pd
import pytest

from gbdist.errors import ParameterError
from gbdist.jobs.result_tables import ENDINGS, require_ending, write_table

TABLE = pd.DataFrame({"iterations": [0, 5, 9], "test-RMSE-mean": [0.1, 1 / 3, float("nan")], "name": ["a", "b", "c"]})
READERS = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".json": pd.read_json}


@pytest.mark.parametrize("ending", ENDINGS)
def test_tables_are_read_as_they_were_written(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"table{ending}"
    write_table(TABLE, path)
    pd.testing.assert_frame_equal(READERS[ending](path), TABLE, rtol=1e-14, check_dtype=False)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_values_of_several_kinds_are_texts_in_parquet(tmp_path: Path) -> None:
    table = pd.DataFrame({"param_score": pd.Series(["Cosine", 3, True, None, [1, 2]], dtype=object)})
    write_table(table, tmp_path / "table.parquet")
    read = pd.read_parquet(tmp_path / "table.parquet")["param_score"]
    assert read[:3].tolist() == ["Cosine", "3", "true"]
    assert read.isna().tolist() == [False, False, False, True, False]
    assert read[4] == "[1, 2]"


def test_other_endings_are_refused() -> None:
    with pytest.raises(ParameterError) as caught:
        require_ending(Path("curves.txt"))
    assert str(caught.value) == (
        "--out='curves.txt' cannot be used: expected a file that ends with .csv, .parquet, .json. Rename it."
    )
    require_ending(None)
