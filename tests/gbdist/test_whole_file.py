"""A file is there whole, or as it was before."""

from pathlib import Path

import pytest

from gbdist.errors import ParameterError
from gbdist.estimators.plotting import Plot
from gbdist.whole_file import require_folder, whole_file


def test_failure_while_writing_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model.cbm"
    path.write_text("before")
    with pytest.raises(UnicodeEncodeError), whole_file(path) as unfinished:
        unfinished.write_text("aft\ud800", encoding="utf-8")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("model.cbm", "before")]
    with whole_file(path) as unfinished:
        unfinished.write_text("after")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("model.cbm", "after")]


def test_page_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        Plot(tmp_path / "page.html").write("whole, but for \ud800")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_told_by_name(tmp_path: Path) -> None:
    require_folder(tmp_path / "model.cbm")
    with pytest.raises(
        ParameterError, match=r"path=.*missing/model.cbm' cannot be used: .* Make the folder .*missing' first"
    ):
        require_folder(tmp_path / "missing" / "model.cbm")
