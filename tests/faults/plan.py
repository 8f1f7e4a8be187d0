"""What is to go wrong in a test: what happens, at which moment of a fit, and to whom.

    with inject(client, Fault("kill", "all_reduce", rank=1, tree=3)) as injected:
        model = estimator.fit(X, y)
    assert injected.fired(0).rank == 1

Moments are the table of ``moments.py``. A fault strikes once a cluster, whichever worker comes to its moment first; a worker that
takes the place of another one knows the plan too, but not a fault that has struck.
"""

from dataclasses import dataclass

from .moments import MOMENTS, Moment

#: What may happen, and what ``Fault`` says of it.
WHATS = {
    "kill": "SIGKILL",
    "exit": "the process ends of its own",
    "raise": "an ordinary error of the routine or task",
    "stop": "SIGSTOP, for `seconds` or until the plan ends",
    "drop": "the connections of the rank to its peers are cut off",
    "corrupt": "the rank's next message is damaged: its tag, its cells' head, or its end",
    "disk full": "from here on files that the worker opens for writing have no space left, for `seconds` or until the plan ends",
    "retire": "the client retires the worker, which goes on meanwhile",
    "join": "the client adds a worker",
}
DAMAGES = ("tag", "head", "end")

_IN_RANKS = ("drop", "corrupt")
_FROM_OUTSIDE = ("kill", "stop", "raise", "retire", "join")


class PlanError(ValueError):
    """A plan that cannot be carried out."""


class InjectedError(Exception):
    """What the fault ``raise`` raises; the argument is the number of the fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Parameters
    ----------
    what : one of ``WHATS``
    moment : one of ``MOMENTS``
    nth : the moment's how-manieth occurrence in a process, counting those alone that fit what follows
    rank, worker
        To whom: a rank of the gang, or a worker by its address or its name in the cluster (LocalCluster: 0, 1, ...); neither:
        who gets there first.
    tree : number of the tree that is being grown, or of the epoch for which a network is trained; ``None`` is any, also before
        the first
    epoch : of the gang; ``None`` is any
    after : number of a fault of the plan that must have struck before
    seconds : see ``WHATS``
    damage : of ``corrupt``: "tag", "head" or "end"
    """

    what: str
    moment: str
    nth: int = 1
    rank: int | None = None
    worker: str | int | None = None
    tree: int | None = None
    epoch: int | None = None
    after: int | None = None
    seconds: float | None = None
    damage: str = "tag"

    def __post_init__(self) -> None:
        if self.moment not in MOMENTS:
            raise PlanError(f"moment {self.moment!r} is not known; these are: {', '.join(MOMENTS)}")
        if self.what not in WHATS:
            raise PlanError(f"fault {self.what!r} is not known; these are: {', '.join(WHATS)}")
        if self.nth < 1:
            raise PlanError(f"nth={self.nth}: occurrences are counted from 1")
        if self.damage not in DAMAGES:
            raise PlanError(f"damage {self.damage!r} is not known; these are: {', '.join(DAMAGES)}")
        if self.seconds is not None and self.what not in ("stop", "disk full"):
            raise PlanError(f"{self.what!r} takes no seconds")
        self._check_place(MOMENTS[self.moment])

    def _check_place(self, moment: Moment) -> None:
        if moment.side == "task" and (self.rank is not None or self.tree is not None or self.epoch is not None):
            raise PlanError(f"at {self.moment!r} there is no gang yet, so no rank, tree or epoch: say worker=")
        if moment.side != "rank" and self.what in _IN_RANKS:
            raise PlanError(f"{self.what!r} is of ranks, and there is none at {self.moment!r}")
        if moment.side == "client":
            if self.what not in _FROM_OUTSIDE:
                raise PlanError(f"at {self.moment!r} the client is at work, which cannot {self.what!r} a worker")
            if self.what in ("kill", "stop", "retire") and self.rank is None and self.worker is None:
                raise PlanError(
                    f"at {self.moment!r} the client is at work: say rank= or worker= of whom to {self.what}"
                )


def check_plan(plan: tuple[Fault, ...]) -> None:
    """PlanError for a fault that waits for one that there is not, or for itself."""
    for number, fault in enumerate(plan):
        if fault.after is not None and not (0 <= fault.after < len(plan) and fault.after != number):
            raise PlanError(f"fault {number} comes after fault {fault.after}, which there is not")
