"""A snapshot as bytes: the identity of a run, its steps, and a digest of both."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from gbdist.errors import SnapshotError

VERSION = 1
"""Version of the format. To change it:

1. Raise it by one whenever files of the former version would be read differently. Records of steps (``steps``) are part of it.
2. Keep reading the former versions, or refuse them in words that say which version of gbdist reads them.
3. Leave what all versions share as it is, so that any version can say of any file whether it is whole and whether it is too new:
   the first bytes (``MAGIC``, then the version as uint32) and the last 32, the SHA-256 of all bytes before them.
4. Add a file of the former version to the tests.
"""

MAGIC = b"\x89GBDIST\n"
"""First bytes of every snapshot: none that begins a text, and a line end, which transfers in text mode spoil."""

_NUMBER, _DIGEST = 4, 32
_FIXED = len(MAGIC) + _NUMBER
_ANEW = "Give another snapshot_file to begin anew."


class DamagedSnapshot(SnapshotError):
    """A file that is cut short or altered."""


class ForeignFile(DamagedSnapshot):
    """A file that is no snapshot of gbdist's."""


@dataclass(frozen=True, eq=False)
class Content:
    """What a snapshot holds: an identity as JSON has it (``identity.Identity``), and a record of each step (``steps``)."""

    identity: dict[str, Any]
    records: tuple[bytes, ...]


def write(content: Content) -> bytes:
    """A snapshot as bytes."""
    header = json.dumps(content.identity, separators=(",", ":")).encode()
    parts = [MAGIC, _number(VERSION), _number(len(header)), header, _number(len(content.records))]
    for record in content.records:
        parts += [_number(len(record)), record]
    body = b"".join(parts)
    return body + hashlib.sha256(body).digest()


def read(data: bytes, path: str) -> Content:
    """The content of a snapshot; ``path`` is for errors. Records are as whole as the digest says, and not looked into.

    Raises
    ------
    ForeignFile
        No snapshot.
    DamagedSnapshot
        Cut short or altered.
    SnapshotError
        Of a newer version.
    """
    if not data.startswith(MAGIC):
        found = "an empty file" if not data else "a file of another kind"
        raise ForeignFile(path, found, "a snapshot of gbdist", _ANEW)
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if len(body) < _FIXED or hashlib.sha256(body).digest() != digest:
        found = f"{len(data):,} bytes that were cut short or altered"
        raise DamagedSnapshot(path, found, "a whole snapshot", _ANEW)
    version = int.from_bytes(body[len(MAGIC) : _FIXED], "little")
    if version != VERSION:
        fix = f"Update gbdist to go on from it. {_ANEW}"
        raise SnapshotError(path, f"version {version} of the format", f"version {VERSION}", fix)
    left = _Reader(body[_FIXED:], path)
    try:
        identity = json.loads(left.counted())
    except (ValueError, RecursionError):
        raise left.damaged() from None
    if not isinstance(identity, dict):
        raise left.damaged()
    records = tuple(left.counted() for _ in range(left.number()))
    if not left.empty:
        raise left.damaged()
    return Content(identity, records)


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER, "little")


class _Reader:
    """Takes bytes off the front of what is left, and never more than there are."""

    def __init__(self, data: bytes, path: str) -> None:
        self._data, self._at, self._path = memoryview(data), 0, path

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._data)

    def damaged(self) -> DamagedSnapshot:
        """The error for bytes that no version wrote, whatever their digest says."""
        return DamagedSnapshot(self._path, "parts that do not fit together", "a whole snapshot", _ANEW)

    def number(self) -> int:
        """The next number."""
        return int.from_bytes(self._take(_NUMBER), "little")

    def counted(self) -> bytes:
        """The next bytes, whose number stands before them."""
        return bytes(self._take(self.number()))

    def _take(self, n: int) -> memoryview:
        if n > len(self._data) - self._at:
            raise self.damaged()
        self._at += n
        return self._data[self._at - n : self._at]
