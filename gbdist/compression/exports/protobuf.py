"""Protocol buffers' wire format, as much of it as ONNX and CoreML files need, so that neither package must be there.

https://protobuf.dev/programming-guides/encoding
"""

import struct
from collections.abc import Iterable, Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def field(number: int, value: int | str | bytes) -> bytes:
    """One field: a whole number ≥ 0, a text, or the bytes of a message."""
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def packed(number: int, values: Iterable[int]) -> bytes:
    """A repeated field of whole numbers ≥ 0."""
    return field(number, b"".join(map(_varint, values)))


def fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Number and value of each field of a message: an int, a float, or the bytes of a text or a message."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        number, wire = tag >> 3, tag & 7
        value: int | float | bytes
        if wire == _VARINT:
            value, at = _read_varint(message, at)
        elif wire == _BYTES:
            length, at = _read_varint(message, at)
            value, at = message[at : at + length], at + length
        else:
            code, size = {_FIXED64: ("<d", 8), _FIXED32: ("<f", 4)}[wire]
            value, at = struct.unpack_from(code, message, at)[0], at + size
        yield number, value


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes((value,))
    parts = bytearray()
    while value >= 128:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
