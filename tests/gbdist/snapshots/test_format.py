"""A snapshot comes back from its bytes, and every alteration of them is found."""

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gbdist.errors import SnapshotError
from gbdist.snapshots.format import MAGIC, VERSION, Content, DamagedSnapshot, ForeignFile, read, write

CONTENT = Content({"iterations": 3, "parameters": {"ä": None}}, (b"first", b"", b"\x00third"))
DATA = write(CONTENT)


def signed(body: bytes) -> bytes:
    return body + hashlib.sha256(body).digest()


@given(
    st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.lists(st.binary(max_size=20), max_size=4),
)
def test_what_is_written_comes_back(identity: dict[str, object], records: list[bytes]) -> None:
    back = read(write(Content(identity, tuple(records))), "f")
    assert (back.identity, back.records) == (identity, tuple(records))


def test_every_truncation_is_found() -> None:
    for n in range(len(DATA)):
        with pytest.raises(DamagedSnapshot):
            read(DATA[:n], "f")


def test_every_altered_byte_is_found() -> None:
    for at in range(len(DATA)):
        altered = bytearray(DATA)
        altered[at] ^= 1 << (at % 8)
        with pytest.raises(DamagedSnapshot):
            read(bytes(altered), "f")


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255), st.binary(max_size=5))
def test_altered_and_longer_bytes_are_found(at: int, change: int, more: bytes) -> None:
    altered = bytearray(DATA + more)
    altered[at] ^= change
    with pytest.raises(DamagedSnapshot):
        read(bytes(altered), "f")


@given(st.binary(max_size=100))
def test_bytes_that_are_signed_and_make_no_sense_are_found(rest: bytes) -> None:
    with pytest.raises(DamagedSnapshot, match="found parts that do not fit together, expected a whole snapshot"):
        read(signed(MAGIC + VERSION.to_bytes(4, "little") + rest), "f")


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        (
            b"",
            ForeignFile,
            "f: found an empty file, expected a snapshot of gbdist. Give another snapshot_file to begin anew.",
        ),
        (
            b"CBM1 and so on",
            ForeignFile,
            "f: found a file of another kind, expected a snapshot of gbdist. Give another snapshot_file to begin anew.",
        ),
        (
            DATA[:-40],
            DamagedSnapshot,
            f"f: found {len(DATA) - 40} bytes that were cut short or altered, expected a whole snapshot. Give another "
            "snapshot_file to begin anew.",
        ),
        (
            signed(MAGIC + (VERSION + 1).to_bytes(4, "little") + b"whatever it has"),
            SnapshotError,
            f"f: found version {VERSION + 1} of the format, expected version {VERSION}. Update gbdist to go on from it. Give "
            "another snapshot_file to begin anew.",
        ),
    ],
)
def test_errors(data: bytes, kind: type[SnapshotError], text: str) -> None:
    with pytest.raises(SnapshotError) as refusal:
        read(data, "f")
    assert type(refusal.value) is kind
    assert str(refusal.value) == text
    assert str(pickle.loads(pickle.dumps(refusal.value))) == text
