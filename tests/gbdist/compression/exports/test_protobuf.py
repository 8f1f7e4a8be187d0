"""What is written is read again, and is what the specification of the wire format shows."""

import struct

import pytest

from gbdist.compression.exports.protobuf import field, fields, packed


def test_the_examples_of_the_specification() -> None:
    # https://protobuf.dev/programming-guides/encoding: field 1 is 150, field 2 is "testing", field 4 is packed.
    assert field(1, 150) == bytes.fromhex("089601")
    assert field(2, "testing") == bytes.fromhex("120774657374696e67")
    assert packed(6, [3, 270, 86942]) == bytes.fromhex("3206038e029ea705")


@pytest.mark.parametrize("value", [0, 127, 128, 2**32, 2**63, 2**64 - 1])
def test_whole_numbers_are_read_again(value: int) -> None:
    assert list(fields(field(3, value) + field(200, value))) == [(3, value), (200, value)]


def test_messages_and_floats_are_read_again() -> None:
    floats = bytes([5 << 3 | 1]) + struct.pack("<d", 0.1) + bytes([6 << 3 | 5]) + struct.pack("<f", 0.5)
    assert list(fields(floats)) == [(5, 0.1), (6, 0.5)]
    message = field(1, field(2, "inside"))
    [(number, inside)] = fields(message)
    assert (number, inside) == (1, field(2, "inside"))
