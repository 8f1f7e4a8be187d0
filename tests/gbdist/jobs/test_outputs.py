"""Results appear whole or not at all, and what was not ours is left alone."""

from pathlib import Path

import pytest

from gbdist.jobs.outputs import OutputError, parts_folder, require_not_read, require_replaceable, require_writable_file


def test_several_parts_become_a_folder_and_one_a_file(tmp_path: Path) -> None:
    for count in (2, 1, 3):  # each replaces what was there before
        with parts_folder(tmp_path / "out.parquet") as folder:
            for number in range(count):
                (folder / f"part-{number:05d}.parquet").write_text(str(number))
            require_replaceable(tmp_path / "out.parquet")
        found = tmp_path / "out.parquet"
        assert found.is_file() if count == 1 else len(list(found.iterdir())) == count
        assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_failure_leaves_the_earlier_result_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "out.parquet").write_text("earlier")

    def fail_half_way() -> None:
        with parts_folder(tmp_path / "out.parquet") as folder:
            (folder / "part-00000.parquet").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
    assert (tmp_path / "out.parquet").read_text() == "earlier"


def test_parts_are_open_to_workers_under_another_account(tmp_path: Path) -> None:
    with parts_folder(tmp_path / "out.parquet") as folder:
        (tmp_path / "plain").mkdir()
        assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode
        for number in range(2):
            (folder / f"part-{number}.parquet").touch()


def test_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").touch()
    with pytest.raises(OutputError) as caught:
        require_replaceable(tmp_path / "out")
    assert str(caught.value) == (
        f"{tmp_path}/out cannot be written: it is a folder with other files in it. Name a path that does not exist yet."
    )


def test_output_in_the_place_of_an_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/part-00000.parquet").touch()
    (tmp_path / "again").symlink_to(tmp_path / "parts")
    read = str(tmp_path / "parts/part-00000.parquet")
    require_not_read(tmp_path / "other", [read])
    require_not_read(tmp_path / "parts/model.cbm", [read])
    for output in ("parts/part-00000.parquet", "parts", "again"):
        with pytest.raises(OutputError) as caught:
            require_not_read(tmp_path / output, [read])
        assert str(caught.value) == (
            f"{tmp_path}/{output} cannot be written: {read} is read and would be lost. Choose another place with -o."
        )


def test_missing_folder_and_folder_for_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        require_writable_file(tmp_path / "no/model.cbm")
    assert str(caught.value) == (
        f"{tmp_path}/no/model.cbm cannot be written: the folder {tmp_path}/no does not exist. "
        f"Make it with: mkdir -p {tmp_path}/no"
    )
    with pytest.raises(OutputError, match="it is a folder"):
        require_writable_file(tmp_path)


def test_file_system_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OutputError) as caught:
        require_writable_file(tmp_path / "model.cbm")
    assert str(caught.value) == (
        f"{tmp_path}/model.cbm cannot be written: Permission denied in {tmp_path}. Choose another place with -o."
    )
