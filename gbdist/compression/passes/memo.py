"""What passes found out about rows that stay: the next pipeline of a search asks for it again."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from gbdist.boosting.collective import Collective
from gbdist.models.tree import ObliviousTree, Tree

T = TypeVar("T")

#: As many results are kept, the latest ones.
_KEPT = 3


class Memo:
    """Results of a rank, which live as long as its rows do, from one pipeline to the next."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Any] = OrderedDict()

    def recall(self, key: bytes, make: Callable[[], T], collective: Collective) -> T:
        """The result under a key if all ranks have kept it, else what ``make`` returns, which all of them call then; a round.

        A rank may lack it that others have: it is on another worker, or has other rows than before.

        Parameters
        ----------
        key : bytes
            Of all that the result follows from beside the rows, and of what it is; see ``digest_of``.
        make : callable
            May ask the other ranks. What it returns is not to be changed by anybody.
        """
        told = collective.all_gather(b"\1" if key in self._kept else b"\0")
        if all(item == b"\1" for item in told):
            self._kept.move_to_end(key)
            found: T = self._kept[key]
            return found
        # Other ranks may have room for this one: what is dropped must be the same everywhere, or they would disagree for ever.
        self._kept.pop(key, None)
        self._kept[key] = made = make()
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return made


def digest_of(what: str, trees: Sequence[Tree]) -> bytes:
    """Key of something that follows from trees: from their tests and leaf values."""
    digest = hashlib.blake2b(what.encode(), digest_size=16)
    for tree in trees:
        tests: list[tuple[int, ...]] = [(split.feature, split.border) for split in tree.splits]
        if not isinstance(tree, ObliviousTree):
            tests = [(node.split.feature, node.split.border, node.left, node.right) for node in tree.nodes]
        digest.update(repr((type(tree).__name__, tests)).encode())
        digest.update(np.ascontiguousarray(tree.leaf_values).tobytes())
    return digest.digest()
