"""Errors of the Dask side, and the root of every error that gbdist raises on purpose."""


class GbdistError(Exception):
    """Anything that gbdist raises on purpose. The text says what was wrong and what to do."""


class ClusterError(GbdistError, RuntimeError):
    """The cluster cannot do what was asked: no workers, wrong versions, a wait that ended.

    ``problem`` says what happened (with the worker's address where there is one), ``fix`` what to do.
    """

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        problem, fix = self.args
        return f"{problem}. {fix}"


class PeerLost(ClusterError):
    """A rank stopped hearing from a peer. Never the cause of a failed run, always its echo."""


class GangCancelled(ClusterError):
    """The run was cancelled; raised inside the ranks so that they stop."""
