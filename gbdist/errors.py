"""The errors that users of gbdist see. Each names the thing, its value, what was expected and what to do."""

from gbdist_cluster.errors import ClusterError, GbdistError, SettingError

__all__ = [
    "ClusterError",
    "DataError",
    "GbdistError",
    "ModelError",
    "ParameterError",
    "SettingError",
    "SnapshotError",
]


class ParameterError(SettingError):
    """A parameter cannot be used; see ``SettingError``, whose words it has."""


class DataError(GbdistError, ValueError):
    """The data cannot be used. ``where`` names the column, the partition, or both."""

    def __init__(self, where: str, found: str, expected: str, fix: str) -> None:
        super().__init__(where, found, expected, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        where, found, expected, fix = self.args
        return f"{where}: found {found}, expected {expected}. {fix}"


class ModelError(GbdistError, ValueError):
    """A model cannot be used with what was asked of it."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        problem, fix = self.args
        return f"{problem}. {fix}"


class SnapshotError(GbdistError, ValueError):
    """A snapshot cannot be used. ``path`` is the file, or what was given as ``snapshot_file``."""

    def __init__(self, path: str, found: str, expected: str, fix: str) -> None:
        super().__init__(path, found, expected, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        path, found, expected, fix = self.args
        return f"{path}: found {found}, expected {expected}. {fix}"
