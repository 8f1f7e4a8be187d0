"""The tool's end in a worker: wraps the moments of a plan, knows which rank is at work, and lets faults strike."""

import os
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

from distributed import WorkerPlugin

from .moments import MOMENTS, SCENES, Moment, Side
from .plan import Fault
from .state import FullDisk, State
from .strikes import damaged, strike
from .wrapping import Wrappings

NAME = "gbdist-faults"


class Scene(threading.local):
    """Who is at work in a thread: the rank, its gang's epoch, the tree that grows or the epoch that a network is trained for; and
    what is to be done to its next message."""

    rank: int | None = None
    epoch: int | None = None
    tree: int | None = None
    damage: str | None = None


def wrap_moments(wrappings: Wrappings, sides: set[Side], reached: Callable[..., None]) -> None:
    """Call ``reached(moment, arguments)`` at the moments of some sides."""
    by_place: dict[str, list[tuple[str, Moment]]] = {}
    for name, moment in MOMENTS.items():
        if moment.side in sides:
            by_place.setdefault(moment.where, []).append((name, moment))

    def at(named: list[tuple[str, Moment]]) -> Callable[..., Any]:
        def around(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            for name, moment in named:
                if not moment.after:
                    reached(name, args, kwargs)
            result = original(*args, **kwargs)
            for name, moment in named:
                if moment.after:
                    reached(name, args, kwargs)
            return result

        return around

    for where, named in by_place.items():
        wrappings.wrap(where, at(named))


class FaultPlugin(WorkerPlugin):  # type: ignore[misc]
    """Installed on all workers, those that come later too."""

    name = NAME

    def __init__(self, plan: tuple[Fault, ...], state: State, home: int) -> None:
        self.plan, self.state, self.home = plan, state, home

    def setup(self, worker: Any) -> None:
        """Wrap everything, and say who is there."""
        if os.getpid() == self.home:
            raise ValueError("faults strike processes: start workers that are processes of their own")
        self._worker = worker
        self._scene, self._disk, self._wrappings = Scene(), FullDisk(), Wrappings()
        self._channels: weakref.WeakSet[Any] = weakref.WeakSet()
        self._occurred: Counter[int] = Counter()
        self._lock = threading.Lock()
        wrap_moments(self._wrappings, {"task", "rank"}, self._reached)
        # Around what was wrapped so far, so that a rank is known at its first moment.
        self._wrappings.wrap(SCENES["message"], self._send)
        self._wrappings.wrap(SCENES["channel"], self._open_channel)
        self._wrappings.wrap(SCENES["tree"], self._add_tree)
        self._wrappings.wrap(SCENES["training epoch"], self._train_epoch)
        self._wrappings.wrap(SCENES["rank"], self._run_rank)
        self.state.tell("here", **self._who())

    def teardown(self, worker: Any) -> None:
        """Leave the process as it was."""
        self._wrappings.restore()
        self._disk.end()
        self.state.close()

    # ---- who is where

    def _who(self) -> dict[str, Any]:
        worker = self._worker
        return {"pid": os.getpid(), "address": worker.contact_address or worker.address, "name": worker.name}

    def _run_rank(self, original: Callable[..., Any], order: Any, *args: Any, **kwargs: Any) -> Any:
        self._scene.rank, self._scene.epoch = order.rank, order.epoch
        try:
            return original(order, *args, **kwargs)
        finally:
            vars(self._scene).clear()

    def _add_tree(self, original: Callable[..., Any], run: Any, *args: Any, **kwargs: Any) -> Any:
        self._scene.tree = len(run.state.trees)
        return original(run, *args, **kwargs)

    def _train_epoch(self, original: Callable[..., Any], run: Any, *args: Any, **kwargs: Any) -> Any:
        self._scene.tree = run._state.epoch
        return original(run, *args, **kwargs)

    def _open_channel(self, original: Callable[..., Any], channel: Any, *args: Any, **kwargs: Any) -> None:
        original(channel, *args, **kwargs)
        self._channels.add(channel)

    def _send(self, original: Callable[..., Any], channel: Any, to: int, tag: int, payload: Any) -> Any:
        damage, self._scene.damage = self._scene.damage, None
        if damage is not None:
            tag, payload = damaged(damage, tag, payload)
        return original(channel, to, tag, payload)

    # ---- moments

    def _reached(self, moment: str, args: Any, kwargs: Any) -> None:
        self.state.count(moment)
        for number, fault in enumerate(self.plan):
            if fault.moment == moment and self._is_meant(fault) and self._is_due(number, fault):
                self._strike(number, fault)

    def _is_meant(self, fault: Fault) -> bool:
        who, scene = self._who(), self._scene
        return (
            (fault.rank is None or fault.rank == scene.rank)
            and (fault.tree is None or fault.tree == scene.tree)
            and (fault.epoch is None or fault.epoch == scene.epoch)
            and (fault.worker is None or fault.worker in (who["address"], who["name"]))
            and (fault.after is None or self.state.has_struck(fault.after))
        )

    def _is_due(self, number: int, fault: Fault) -> bool:
        with self._lock:
            self._occurred[number] += 1
            return self._occurred[number] >= fault.nth and self.state.take(number)

    def _strike(self, number: int, fault: Fault) -> None:
        scene = self._scene
        where = {"rank": scene.rank, "epoch": scene.epoch, "tree": scene.tree}
        self.state.tell("fired", number=number, at=time.time(), **where, **self._who())
        mine = [channel for channel in list(self._channels) if channel.rank == scene.rank]

        def damage_next(damage: str) -> None:
            scene.damage = damage

        strike(number, fault, mine, damage_next, self._disk)
