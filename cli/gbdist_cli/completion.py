"""What the shell offers after Tab: files by their kind, CatBoost's parameters and their values, kinds, tasks, clusters.

It is asked for with each Tab, so nothing heavy may be loaded here.
"""

import os
from collections.abc import Callable, Sequence

Complete = Callable[[str], list[str]]

TASKS = ("auto", "binary", "multiclass", "regression", "ranking")
DATA = (".parquet", ".pq", ".csv", ".csv.gz")


def files(*suffixes: str) -> Complete:
    """Offers folders, and files with one of the suffixes, all files without any."""

    def complete(incomplete: str) -> list[str]:
        folder, beginning = os.path.split(incomplete)
        try:
            entries = sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda entry: entry.name)
        except OSError:
            return []
        found = []
        for entry in entries:
            if not entry.name.startswith(beginning) or (entry.name.startswith(".") and not beginning):
                continue
            path = os.path.join(folder, entry.name)
            if entry.is_dir():
                found.append(path + os.sep)
            elif not suffixes or entry.name.endswith(suffixes):
                found.append(path)
        return found

    return complete


def words(choices: Sequence[str]) -> Complete:
    """Offers words."""
    return lambda incomplete: [word for word in choices if word.startswith(incomplete)]


def parameters(incomplete: str) -> list[str]:
    """Offers ``NAME=`` of every parameter that can be used, and behind it the values of one that has a list of them."""
    from gbdist.estimators.parameters.table import ALIASES, TABLE, Refused, Used

    name, equals, value = incomplete.partition("=")
    if not equals:
        names = [one for one, rule in TABLE.items() if not isinstance(rule, Refused)]
        return sorted(f"{one}=" for one in [*names, *ALIASES] if one.startswith(name))
    rule = TABLE.get(ALIASES.get(name, name))
    if not isinstance(rule, Used):
        return []
    choices: Sequence[str] = ("true", "false") if rule.kind == "bool" else rule.choices
    if rule.kind == "loss":
        choices = _losses()
    return [f"{name}={one}" for one in choices if one.startswith(value)]


def _losses() -> Sequence[str]:
    from gbdist.estimators.parameters.table import CLASSIFIER_LOSSES, RANKER_LOSSES, REGRESSOR_LOSSES

    return *CLASSIFIER_LOSSES, *REGRESSOR_LOSSES, *RANKER_LOSSES


def clusters(incomplete: str) -> list[str]:
    """Offers the names of clusters that ``gbdist cluster up`` has started."""
    from gbdist.jobs.clusters import names

    return [name for name in names() if name.startswith(incomplete)]
