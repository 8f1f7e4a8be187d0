"""Quantize tasks as what their shards are made of, so that those can be made again.

Dask makes lost shards again by itself as long as it can make the raw rows again. It cannot where rows came from this process's
memory: then they are sent anew. Which cells a row gets depends on nothing else, so they are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from distributed import Client, Future

from gbdist.estimators.initial import InitialModel
from gbdist.estimators.preparation import tasks
from gbdist.estimators.preparation.futures import names
from gbdist.estimators.preparation.raw_parts import send
from gbdist.estimators.preparation.scope import FutureScope
from gbdist.estimators.preparation.stored import Stored
from gbdist.estimators.preparation.surveying import Surveyed
from gbdist.estimators.preparation.tasks import PieceTask
from gbdist.quantize.cells import Encoding


@dataclass(frozen=True, eq=False)
class Batch:
    """Pieces that one task quantizes, and its future."""

    data: Surveyed
    pieces: tuple[PieceTask, ...]
    future: Future

    def stored(self, encodings: tuple[Encoding, ...], initial: InitialModel | None) -> Stored:
        """What the task leaves; ``initial`` is the model to go on from, if any."""
        return Stored(
            future=self.future,
            spans=tuple((piece.first_row, piece.first_row + piece.stop - piece.start) for piece in self.pieces),
            parts=tuple(dict.fromkeys(piece.part.number for piece in self.pieces)),
            cuts=self._cuts(),
            again=partial(_made_again, self, encodings, initial),
        )

    def _cuts(self) -> tuple[int, ...] | None:
        cuts, rows, before = self.data.survey.part_cuts, [], 0
        if cuts is None:
            return None
        for piece in self.pieces:
            here = cuts[self.data.numbers.index(piece.part)]
            rows += [before + row - piece.start for row in here if piece.start <= row < piece.stop]
            before += piece.stop - piece.start
        return tuple(rows)


def submitted(
    client: Client,
    data: Surveyed,
    batches: Sequence[Sequence[PieceTask]],
    beside: tuple[Future, Future | None],
    address: str,
    card: int | None,
) -> list[Batch]:
    """Send off a quantize task for each batch; ``beside`` are the encodings and the model to go on from, if any.

    Each prefers the worker ``address``, whose GPU ``card`` searches the borders if it has one, but may run elsewhere.
    """
    columns = [[[column[piece.part.number] for piece in batch] for batch in batches] for column in data.raw.columns()]
    futures = _quantized(client, data, batches, columns, beside, address, card)
    return [Batch(data, tuple(batch), future) for batch, future in zip(batches, futures, strict=True)]


def _quantized(
    client: Client,
    data: Surveyed,
    batches: Sequence[Sequence[PieceTask]],
    columns: Sequence[Sequence[list[Any]]],
    beside: tuple[Future, Future | None],
    address: str,
    card: int | None,
) -> list[Future]:
    """The tasks themselves; ``columns`` have the raw partitions of each batch."""
    futures: list[Future] = client.map(
        tasks.quantize,
        *columns,
        *([one] * len(batches) for one in beside),
        batches,
        layout=data.format,
        coding=data.survey.labels if data.survey.targets else None,
        card=None if card is None else (address, card),
        workers=[address],
        allow_other_workers=True,
        **names("quantize"),
    )
    return futures


def _made_again(
    batch: Batch,
    encodings: tuple[Encoding, ...],
    initial: InitialModel | None,
    client: Client,
    address: str,
    scope: FutureScope,
) -> Future:
    """Quantize the pieces of a batch once more, from raw rows that are computed, or sent, once more; see ``stored.Again``."""
    numbers = [piece.part.number for piece in batch.pieces]
    columns = batch.data.raw.again(client, numbers, address, scope)
    told: list[Any] = [encodings] if initial is None else [encodings, initial]
    sent = scope.hold(send(client, told, [address]))
    beside = (sent[0], sent[1] if initial is not None else None)
    futures = _quantized(client, batch.data, [batch.pieces], [[one] for one in columns], beside, address, None)
    for held in (*columns, sent):  # the task has them now, and what is kept of it is less
        scope.drop(held)
    return scope.hold(futures)[0]
