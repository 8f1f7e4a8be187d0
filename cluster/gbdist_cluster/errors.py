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


class SettingError(GbdistError, ValueError):
    """A setting cannot be used; ``setting`` says where it stands: ``--port``, or ``cluster.toml:7: port``."""

    def __init__(self, setting: str, value: object, expected: str, fix: str) -> None:
        super().__init__(setting, value, expected, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        setting, value, expected, fix = self.args
        return f"{setting}={value!r} cannot be used: expected {expected}. {fix}"


class CertificateError(ClusterError):
    """Certificates are missing, do not fit, or are refused by the other side."""


class PeerLost(ClusterError):
    """A rank stopped hearing from a peer, by its number ``culprit``. Never the cause of a failed run, always its echo."""

    def __init__(self, problem: str, fix: str, culprit: int) -> None:
        GbdistError.__init__(self, problem, fix, culprit)

    def __str__(self) -> str:
        problem, fix, _ = self.args
        return f"{problem}. {fix}"

    @property
    def culprit(self) -> int:
        """The rank that is gone."""
        return int(self.args[2])


class WorkersGone(ClusterError):
    """A worker that was to be reserved is no part of the cluster."""


class WorkersMissing(ClusterError):
    """The workers that there are cannot do what a gang is to do; more of them might."""


class ShardsGone(ClusterError):
    """Shards, or the rows they are made of, went with a worker, and Dask cannot make them again by itself."""


class GangCancelled(ClusterError):
    """The run was cancelled; raised inside the ranks so that they stop."""
