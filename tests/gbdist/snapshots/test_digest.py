"""Digests of data do not depend on who holds which rows, and any change of a value shows in its column alone."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.rows import RowPairs, Rows, Segment, UnbinnedColumn
from gbdist.neural.network.rows import NetworkRows
from gbdist.snapshots.digest import DataDigest, data_digest, network_digest
from gbdist_cluster.collective.threads import run_threads

N = 90


def whole(n_labels: int = 1, wide: bool = False) -> Rows:
    """Rows with everything that rows may have: columns 0, 2 and 3 are binned, column 1 is categorical."""
    rng = np.random.default_rng(5)
    label = rng.normal(size=(n_labels, N)).astype(np.float32)
    return Rows(
        bins=rng.integers(0, 250, (3, N)).astype(np.uint16 if wide else np.uint8),
        label=label[0] if n_labels == 1 else label,
        weight=rng.random(N).astype(np.float32),
        baseline=rng.normal(size=(2, N)),
        segments=(Segment(0, N, 0),),
        unbinned=(UnbinnedColumn(1, "hash", rng.integers(0, 2**32, N, dtype=np.uint32)),),
        group=np.repeat(rng.integers(0, 2**64, N // 10, dtype=np.uint64), 10),
    )


def part(rows: Rows, spans: list[tuple[int, int]]) -> Rows:
    """Those rows, in that order, as one rank has them."""
    places = np.concatenate([np.arange(*span) for span in spans] or [np.empty(0, np.int64)])
    segments, start = [], 0
    for first, stop in spans:
        segments.append(Segment(start, start + stop - first, first))
        start += stop - first
    return replace(
        rows,
        bins=np.ascontiguousarray(rows.bins[:, places]),
        label=rows.label[..., places],
        weight=None if rows.weight is None else rows.weight[places],
        baseline=None if rows.baseline is None else rows.baseline[:, places],
        segments=tuple(segments),
        unbinned=tuple(replace(each, values=each.values[places]) for each in rows.unbinned),
        group=None if rows.group is None else rows.group[places],
    )


def digest(*sets: Rows, threads: int = 1) -> DataDigest:
    return data_digest(sets, SingleRank(), threads)


def on_ranks(sets_of: list[list[Rows]]) -> list[DataDigest]:
    return list(run_threads(len(sets_of), lambda collective: data_digest(sets_of[collective.rank], collective)))


@pytest.mark.parametrize("n_labels", [1, 2])
@pytest.mark.parametrize("wide", [False, True])
def test_ranks_partitions_and_threads_do_not_change_it(n_labels: int, wide: bool) -> None:
    rows, evals = whole(n_labels, wide), part(whole(n_labels, wide), [(0, 40)])
    expected = digest(rows, evals)
    assert digest(rows, evals, threads=3) == expected
    assert digest(part(rows, [(50, 90), (0, 20), (20, 50)]), evals) == expected
    ranks = [
        [part(rows, [(30, 60)]), part(evals, [])],
        [part(rows, []), part(evals, [(0, 40)])],
        [part(rows, [(60, 90), (0, 30)]), part(evals, [])],
    ]
    # A rank without rows need not know whether there are weights.
    ranks[1][0] = replace(ranks[1][0], weight=None, baseline=None, group=None)
    assert on_ranks(ranks) == [expected] * 3


def changes() -> list[tuple[str, Any, list[str]]]:
    rows = whole()
    assert rows.weight is not None
    assert rows.baseline is not None
    assert rows.group is not None
    bins, hashes, label = rows.bins.copy(), rows.unbinned[0].values.copy(), rows.label.copy()
    bins[2, 7] ^= 1
    hashes[3] ^= 1 << 31
    label[11] = np.nextafter(label[11], np.float32(9))
    turned = -rows.baseline  # whose bits all differ in one place
    return [
        ("bins", replace(rows, bins=bins), ["column 3"]),
        ("hashes", replace(rows, unbinned=(replace(rows.unbinned[0], values=hashes),)), ["column 1"]),
        ("label", replace(rows, label=label), ["label"]),
        ("weight", replace(rows, weight=rows.weight[::-1].copy()), ["weight"]),
        ("no weight", replace(rows, weight=None), ["weight"]),
        ("baseline", replace(rows, baseline=turned), ["baseline"]),
        ("columns of the baseline", replace(rows, baseline=rows.baseline[::-1].copy()), ["baseline"]),
        ("group", replace(rows, group=rows.group + np.uint64(1)), ["group"]),
        ("order", replace(rows, bins=rows.bins[[1, 0, 2]].copy()), ["column 0", "column 2"]),
    ]


@pytest.mark.parametrize(("rows", "differ"), [each[1:] for each in changes()], ids=[each[0] for each in changes()])
def test_a_change_shows_where_it_is(rows: Rows, differ: list[str]) -> None:
    (was,), (now,) = digest(whole()), digest(rows)
    found = [f"column {at}" for at, (a, b) in enumerate(zip(was.columns, now.columns, strict=True)) if a != b]
    found += [
        each.name
        for each in fields(was)
        if each.name != "columns" and getattr(was, each.name) != getattr(now, each.name)
    ]
    assert found == differ


def test_pairs_are_known_by_their_rows_and_weights() -> None:
    rows = whole()

    def with_pairs(rows: Rows, winner: list[int], loser: list[int], weight: list[float]) -> Rows:
        pairs = RowPairs(np.array(winner, np.int32), np.array(loser, np.int32), np.array(weight, np.float32))
        return replace(rows, pairs=pairs)

    (expected,) = digest(with_pairs(rows, [1, 42], [2, 41], [1.0, 2.0]))
    assert expected.pairs != 0
    ranks = [
        [with_pairs(part(rows, [(40, 90)]), [2], [1], [2.0])],
        [with_pairs(part(rows, [(0, 40)]), [1], [2], [1.0])],
    ]
    assert on_ranks(ranks) == [(expected,)] * 2
    for other in ([2, 42], [1, 41], [1.0, 2.0]), ([1, 42], [2, 41], [1.0, 2.5]):
        assert digest(with_pairs(rows, *other))[0].pairs != expected.pairs


def test_no_rows_at_all() -> None:
    (found,) = digest(part(whole(), []))
    assert (found.columns, found.label) == ((0, 0, 0, 0), 0)


# ---- rows of a network


def network(places: slice = slice(None), first: int = 0) -> NetworkRows:
    """Two numeric columns and a categorical one, classes, weights; some of the rows, the first of which has that number."""
    rng = np.random.default_rng(6)
    numeric = rng.normal(size=(N, 2)).astype(np.float32)
    codes = rng.integers(0, 9, (N, 1), dtype=np.int32)
    target, weight = rng.integers(0, 3, N, dtype=np.int32), rng.random(N).astype(np.float32)
    n_rows = target[places].shape[0]
    segments = (Segment(0, n_rows, first),) if n_rows else ()
    return NetworkRows(numeric[places], codes[places], target[places], weight[places], segments)


def test_who_holds_rows_of_a_network_does_not_matter() -> None:
    cut = [network(slice(0, 40)), network(slice(40, 40), 40), network(slice(40, N), 40)]
    (alone,) = network_digest([network()], SingleRank())
    found = run_threads(3, lambda collective: network_digest([cut[collective.rank]], collective))
    assert found == [(alone,)] * 3
    assert len(alone.columns) == 3
    assert 0 not in (*alone.columns, alone.label, alone.weight)


def test_a_change_shows_where_it_was_made() -> None:
    rows = network()
    (before,) = network_digest([rows], SingleRank())
    codes = rows.codes.copy()
    codes[7, 0] += 1
    (after,) = network_digest([replace(rows, codes=codes)], SingleRank())
    assert [was == now for was, now in zip(before.columns, after.columns, strict=True)] == [True, True, False]
    assert (before.label, before.weight) == (after.label, after.weight)
    wide = replace(rows, target=np.stack([rows.target, rows.target[::-1]], axis=1).astype(np.float32), weight=None)
    (of_two,) = network_digest([wide], SingleRank())
    assert of_two.label != before.label
    assert of_two.weight == 0
