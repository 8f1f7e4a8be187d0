"""Results that are kept from one pipeline to the next, by all ranks or by none."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gbdist.boosting.collective import Collective, SingleRank
from gbdist.compression.passes.memo import Memo, digest_of
from gbdist.models.tree import Node, NonSymmetricTree, ObliviousTree, TreeSplit
from gbdist_cluster.collective.threads import run_threads


class Made:
    """Which results were made, in their order; each is twice its key."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []

    def of(self, key: bytes) -> Callable[[], bytes]:
        def make() -> bytes:
            self.keys.append(key)
            return key * 2

        return make


def test_what_is_kept_is_not_made_again() -> None:
    memo, made = Memo(), Made()
    for key in (b"a", b"b", b"a"):
        assert memo.recall(key, made.of(key), SingleRank()) == key * 2
    assert made.keys == [b"a", b"b"]


def test_the_latest_results_are_kept() -> None:
    memo, made = Memo(), Made()
    for key in (b"a", b"b", b"c", b"a", b"d", b"a", b"b"):
        memo.recall(key, made.of(key), SingleRank())
    assert made.keys == [b"a", b"b", b"c", b"d", b"b"]


def test_all_ranks_make_what_one_of_them_lacks() -> None:
    memos = [Memo(), Memo()]
    memos[0].recall(b"a", lambda: "of before", SingleRank())

    def work(collective: Collective) -> list[str]:
        memo = memos[collective.rank]
        made = [memo.recall(b"a", lambda: str(collective.all_gather(b"x")), collective) for _ in range(2)]
        return [*made, memo.recall(b"b", lambda: "new", collective)]

    assert run_threads(2, work) == [["[b'x', b'x']"] * 2 + ["new"]] * 2


SPLITS = (TreeSplit(0, 1), TreeSplit(2, 0))
VALUES = np.arange(4.0)[:, np.newaxis]
TREE = ObliviousTree(SPLITS, VALUES, np.ones(4))
NODES = (Node(SPLITS[0], 1, ~2), Node(SPLITS[1], ~0, ~1))
OTHER = NonSymmetricTree(NODES, VALUES[:3], np.ones(3))


def test_keys_follow_from_trees() -> None:
    keys = {
        digest_of(what, trees)
        for what, trees in [
            ("leaves", [TREE]),
            ("sums", [TREE]),
            ("leaves", [TREE, TREE]),
            ("leaves", [OTHER]),
            ("leaves", [replace(TREE, splits=SPLITS[::-1])]),
            ("leaves", [replace(OTHER, nodes=(Node(SPLITS[0], ~0, 1), Node(SPLITS[1], ~1, ~2)))]),
        ]
    }
    assert len(keys) == 6
    changed = replace(TREE, leaf_values=VALUES + 1.0)
    assert digest_of("leaves", [changed]) not in keys
    assert digest_of("leaves", [replace(TREE, leaf_weights=np.zeros(4))]) in keys
