"""CatBoost's hash of a category: the low 32 bits of CityHash64 of its text."""

from collections.abc import Sequence

import catboost
import numpy as np
from numpy.typing import NDArray

#: Numbers that CatBoost takes as the id of a group itself have no more digits.
_MOST_DIGITS = 20
#: CityHash 1.0 (CatBoost's util/digest/city.cpp).
_K0, _K1, _K2, _K3, _MUL = (
    np.uint64(each)
    for each in (0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557, 0x9DDFEA08EB382D69)
)

#: The last half of the texts of 16 characters that ``texts_of_hashes`` makes.
_TAIL = np.frombuffer(b"category", "<u8").astype(np.uint64)
_INVERSE = np.uint64(pow(int(_MUL), -1, 1 << 64))
_BITS_OF_ASCII = np.uint64(0x8080808080808080)


def category_hashes(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Hashes of texts, uint32 [n]; each must be one that UTF-8 can hold.

    CatBoost hashes ids of groups as it hashes categories, and tells the hash, but takes a plain decimal number as the id itself:
    those are hashed here. A test compares both with the hashes that CatBoost writes into models.
    """
    hashes = np.empty(len(texts), dtype=np.uint32)
    numbers = np.fromiter(map(_may_be_a_number, texts), dtype=np.bool_, count=len(texts))
    for chosen, hashed in ((numbers, _of_digits), (~numbers, _of_ids)):
        rows = np.flatnonzero(chosen).tolist()
        if rows:
            hashes[rows] = hashed([texts[row] for row in rows])
    return hashes


def texts_of_hashes(hashes: NDArray[np.uint32]) -> list[str]:
    """A text of 16 ASCII characters with each of some hashes [n], the same one for a hash each time.

    CatBoost is asked with texts, and of categories nothing but their hashes may be known: to a model they are the same.

    CityHash64 of 16 bytes can be turned around: with the last 8 fixed, each of the 2^64 values follows from one first half. Of
    the 2^32 values with the low bits that are wanted the first is taken whose first half is ASCII without a NUL, one in 260.
    """
    distinct, number_of = np.unique(hashes, return_inverse=True)
    words = np.zeros(distinct.shape[0], np.uint64)
    left = np.arange(distinct.shape[0])
    trial = 0
    while left.size:
        values = distinct[left].astype(np.uint64) | np.uint64(trial << 32)
        found = _first_half(values)
        characters = found.view(np.uint8).reshape(-1, 8)
        good = ((found & _BITS_OF_ASCII) == 0) & (characters != 0).all(axis=1)
        words[left[good]] = found[good]
        left = left[~good]
        trial += 1
    tail = _TAIL.astype("<u8").tobytes().decode("ascii")
    texts = [word.tobytes().decode("ascii") + tail for word in words.astype("<u8")]
    return [texts[number] for number in number_of.tolist()]


def _first_half(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """First halves [n] of the texts that end with the tail and have these hashes: ``_mixed`` backwards."""
    high = _rotated(_TAIL + np.uint64(16), 16)
    with np.errstate(over="ignore"):
        b = _shifted((values ^ _TAIL) * _INVERSE) * _INVERSE
        return np.asarray((_shifted(b ^ high) * _INVERSE) ^ high)


def _may_be_a_number(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) <= _MOST_DIGITS


def _of_ids(texts: list[str]) -> NDArray[np.uint32]:
    """Hashes [n] that CatBoost makes of ids of groups."""
    distinct = list(dict.fromkeys(texts))  # the rows of a group must be neighbours
    nothing = np.zeros((len(distinct), 1), dtype=np.float32)
    pool = catboost.Pool(nothing, group_id=np.array(distinct, dtype=object), thread_count=1)
    hashes = np.asarray(pool.get_group_id_hash(), dtype=np.uint64).astype(np.uint32)
    if len(distinct) == len(texts):
        return hashes
    number_of = {text: number for number, text in enumerate(distinct)}
    return hashes[[number_of[text] for text in texts]]


def _of_digits(texts: list[str]) -> NDArray[np.uint32]:
    """Hashes [n] of ASCII texts of 1 … 32 characters."""
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    characters = np.array(texts, dtype="S32").view(np.uint8).reshape(len(texts), 32)
    hashes = np.empty(len(texts), dtype=np.uint32)
    with np.errstate(over="ignore"):
        for length in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == length)
            hashes[rows] = _city_hash(characters[rows, :length]).astype(np.uint32)
    return hashes


def _city_hash(characters: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """CityHash64 [n] of texts of the same length, 1 … 32: uint8 [n, length]."""
    length = np.uint64(characters.shape[1])
    if length > 16:
        a, b = _word(characters, 0) * _K1, _word(characters, 8)
        c, d = _word(characters, -8) * _K2, _word(characters, -16) * _K0
        return _mixed(_rotated(a - b, 43) + _rotated(c, 30) + d, a + _rotated(b ^ _K3, 20) - c + length)
    if length > 8:
        a, b = _word(characters, 0), _word(characters, -8)
        return _mixed(a, _rotated(b + length, int(length))) ^ b
    if length >= 4:
        a, b = _word(characters, 0, 4), _word(characters, -4, 4)
        return _mixed(length + (a << np.uint64(3)), b)
    first, middle, last = (characters[:, at].astype(np.uint64) for at in (0, int(length) // 2, -1))
    y, z = first + (middle << np.uint64(8)), length + (last << np.uint64(2))
    return _shifted(y * _K2 ^ z * _K3) * _K2


def _word(characters: NDArray[np.uint8], start: int, size: int = 8) -> NDArray[np.uint64]:
    """``size`` characters from ``start`` on as a little-endian number, uint64 [n]."""
    first = start % characters.shape[1]
    word = np.ascontiguousarray(characters[:, first : first + size])
    return word.view(f"<u{size}")[:, 0].astype(np.uint64)


def _mixed(low: NDArray[np.uint64], high: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """CityHash's Hash128to64."""
    a = _shifted((low ^ high) * _MUL)
    return _shifted((high ^ a) * _MUL) * _MUL


def _shifted(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return values ^ (values >> np.uint64(47))


def _rotated(values: NDArray[np.uint64], by: int) -> NDArray[np.uint64]:
    return (values >> np.uint64(by)) | (values << np.uint64(64 - by))
