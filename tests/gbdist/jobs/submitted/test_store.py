"""The jobs folder, on this machine and behind a URL."""

import uuid
from pathlib import Path

import pytest

from gbdist.jobs.outputs import OutputError
from gbdist.jobs.submitted.errors import JobError
from gbdist.jobs.submitted.spec import JobSpec
from gbdist.jobs.submitted.state import JobState, error_of, state_of
from gbdist.jobs.submitted.store import FORMAT, JobsFolder, JobStore, Submission

MADE = Submission(JobSpec("train", {"data": ["/data"], "params": {"depth": 4}}), 1.5, "0.1.0")


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> JobsFolder:
    return JobsFolder(f"{tmp_path}/jobs" if request.param == "local" else f"memory://jobs-{uuid.uuid4().hex}/")


def test_what_is_written_is_read(folder: JobsFolder) -> None:
    folder.require_writable()
    assert folder.ids() == []
    store = folder.job("a")
    assert not store.exists()
    store.write_submission(MADE)
    assert store.exists()
    assert store.read_submission() == MADE
    assert store.read_state() == JobState("queued", submitted=1.5)
    state = JobState("running", 1, 2, 1.5, 2.5, worker="w", scheduler={"id": "s"}, progress={"trees": 3})
    store.write_state(state)
    assert store.read_state() == state
    assert store.names("log") == []
    store.write("log/0001-000002.jsonl", b"2")
    store.write("log/0001-000001.jsonl", b"1")
    assert store.names("log") == ["0001-000001.jsonl", "0001-000002.jsonl"]
    assert store.read("log/0001-000002.jsonl") == b"2"
    folder.job("b").write_submission(MADE)
    folder.job("c").write("log/1", b"")  # no job
    assert folder.ids() == ["a", "b"]


def test_a_later_attempt_is_not_written_over(folder: JobsFolder) -> None:
    store = folder.job("a")
    store.write_submission(MADE)
    store.write_state(JobState("running", attempt=2, sequence=1))
    store.write_state(JobState("failed", attempt=1, sequence=9))
    assert store.read_state().state == "running"
    store.write_state(JobState("done", attempt=2, sequence=1))
    assert store.read_state().state == "done"


def test_files_are_copied(folder: JobsFolder, tmp_path: Path) -> None:
    folder.job("a").write("result/model.cbm", b"model")
    folder.job("a").copy("result/model.cbm", tmp_path / "model.cbm")
    assert (tmp_path / "model.cbm").read_bytes() == b"model"


def test_a_file_that_is_gone_or_has_no_room_is_told(folder: JobsFolder, tmp_path: Path) -> None:
    store = folder.job("a")
    with pytest.raises(JobError, match=r"result/model\.cbm cannot be"):
        store.copy("result/model.cbm", tmp_path / "model.cbm")
    store.write("result/model.cbm", b"model")
    with pytest.raises(JobError, match=rf"cannot be copied to {tmp_path}: Is a directory\. Check the jobs folder"):
        store.copy("result/model.cbm", tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        JobsFolder(f"{tmp_path}/file/jobs").require_writable()
    fix = "Choose another jobs folder with --jobs-dir."
    assert caught.value.args == (f"{tmp_path}/file/jobs", "Not a directory", fix)


def test_a_file_system_that_is_not_known() -> None:
    with pytest.raises(OutputError, match="Protocol not known: nowhere"):
        JobsFolder("nowhere://jobs").require_writable()
    with pytest.raises(JobError, match=r"^nowhere://jobs cannot be read: Protocol not known: nowhere"):
        JobsFolder("nowhere://jobs").ids()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("job.json", "{", r"job\.json is not JSON: "),
        ("job.json", "{}", r"job\.json cannot be understood\. Submit the job again\."),
        (
            "job.json",
            f'{{"format": {FORMAT + 1}, "version": "9.9"}}',
            r"is of a newer gbdist \(9\.9\)\. Use that version\.",
        ),
        ("state.json", "{}", r"state\.json cannot be understood\. "),
    ],
)
def test_files_that_say_nothing_of_a_job(tmp_path: Path, name: str, content: str, problem: str) -> None:
    store = JobStore(str(tmp_path), "a")
    store.write_submission(MADE)
    store.write(name, content.encode())
    with pytest.raises(JobError, match=problem):
        store.read_submission() if name == "job.json" else store.read_state()


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        JobStore(str(tmp_path), "a").read("result/record.json")
    assert str(caught.value) == (
        f"{tmp_path}/a/result/record.json cannot be read: No such file or directory. Check the jobs folder."
    )


def test_fields_of_later_versions_are_left_out() -> None:
    assert state_of({"state": "done", "colour": "green"}) == JobState("done")


def test_errors_are_written_down_by_class_and_text() -> None:
    assert error_of(JobError("a problem", "A fix.")) == {
        "kinds": ["JobError", "GbdistError", "Exception", "BaseException"],
        "text": "a problem. A fix.",
    }
    assert error_of(KeyError("x"))["text"] == "KeyError: 'x'"
