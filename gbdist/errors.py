"""The errors that users of gbdist see. Each names the thing, its value, what was expected and what to do."""

from gbdist_cluster.errors import ClusterError, GbdistError

__all__ = ["ClusterError", "DataError", "GbdistError", "ModelError", "ParameterError"]


class ParameterError(GbdistError, ValueError):
    """A parameter cannot be used."""

    def __init__(self, name: str, value: object, expected: str, fix: str) -> None:
        super().__init__(name, value, expected, fix)  # unpickling calls cls(*args)

    def __str__(self) -> str:
        name, value, expected, fix = self.args
        return f"{name}={value!r} cannot be used: expected {expected}. {fix}"


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
