"""Where a study is kept, and whether it is of what is searched: storages and studies of Optuna's, opened or made."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import optuna
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from gbdist.errors import ParameterError
from gbdist.passwords import without_password, without_passwords
from gbdist.selection.searching.samplers import Search

#: Attribute of a study: what it is of.
_IDENTITY: Final = "gbdist:study"
#: What a study that is gone on with must be of, and how errors call it.
_PARTS: Final = {
    "version": "studies of this version of gbdist",
    "estimator": "parameters of the estimator",
    "space": "space",
    "folds": "folds",
    "scoring": "scoring",
    "data": "data",
}
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Where:
    """Where a study is: any storage of Optuna's or its URL, None for memory; ``name`` is None for one that follows from what
    the study is of."""

    storage: Any = None
    name: str | None = None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna from telling of every study and trial, as there are listeners for that; its warnings are told."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def opened(where: Where, search: Search, identity: Mapping[str, Any]) -> optuna.Study:
    """The study, made or found. ParameterError for a storage that cannot be used, and for a study of something else."""
    name = where.name or f"gbdist-{identity['digest'][:12]}"
    storage = storage_from(where.storage)
    try:
        with quiet():
            study = optuna.create_study(
                storage=storage,
                sampler=search.sampler,
                pruner=search.pruner,
                study_name=name,
                direction="maximize",
                load_if_exists=True,
            )
    except Exception as problem:  # of whichever storage it is
        expected = f"a storage that studies can be read from ({_reason(problem, where.storage)})"
        raise ParameterError("storage", _shown(where.storage), expected, "Look after it, or use another.") from problem
    known = study.user_attrs.get(_IDENTITY)
    if known is None:
        if study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)):
            fix = "Give another name; warm_start_from= learns from studies that others have made."
            raise ParameterError("study_name", name, "a study that gbdist has made", fix)
        study.set_user_attr(_IDENTITY, dict(identity))
        return study
    for part, words in _PARTS.items():
        if known.get(part) != identity.get(part):
            found = _differing(part, known.get(part), identity.get(part))
            fix = "Give another name to begin anew; warm_start_from= learns from this study."
            raise ParameterError("study_name", name, f"a study of the same {words}{found}", fix)
    return study


def _differing(part: str, there: Any, here: Any) -> str:
    """What differs between a study and a search, in words; of data nothing is known that would say something."""
    if part == "data":
        return ""
    if part != "space":
        return f": it has {there}, and this is {here}"
    spaces = [dict(line.split(": ", 1) for line in space) for space in (there, here)]
    names = [name for name in {**spaces[0], **spaces[1]} if spaces[0].get(name) != spaces[1].get(name)]
    told = (f"{name}: {spaces[0].get(name, 'not')} there, {spaces[1].get(name, 'not')} here" for name in names)
    return f": {'; '.join(told)}"


def storage_from(given: Any) -> BaseStorage:
    """What ``DaskSearchCV`` takes as ``storage``, opened; ParameterError, without a password, for what cannot be."""
    if given is None:
        return InMemoryStorage()
    if not isinstance(given, str | BaseStorage):
        raise ParameterError("storage", given, "a URL, or a storage of Optuna's", 'As in "sqlite:///study.db".')
    try:
        with quiet():
            return optuna.storages.get_storage(given)
    except Exception as problem:  # of whichever database it is
        expected = f"a URL that Optuna can open ({_reason(problem, given)})"
        told = ParameterError("storage", _shown(given), expected, 'As in "sqlite:///study.db".')
        raise told from None if _shown(given) != given else problem  # which may tell the whole URL


def _reason(problem: Exception, storage: Any) -> str:
    """The first line of an error, without the password that the storage has."""
    first = (str(problem).splitlines() or [""])[0] or type(problem).__name__
    return without_passwords(first.replace(storage, without_password(storage)) if isinstance(storage, str) else first)


def _shown(storage: Any) -> Any:
    return without_password(storage) if isinstance(storage, str) else storage
