"""The parameters of snapshots together, as CatBoost reads them: without ``save_snapshot`` the others do nothing."""

from collections.abc import Mapping
from typing import Any, Final

from gbdist.errors import ParameterError
from gbdist.estimators.parameters.catboost_options import Written

#: Those that ask for snapshots, which are of one fit.
SNAPSHOTS: Final = ("save_snapshot", "snapshot_file", "snapshot_interval")
#: What is done instead, by parameter that wants ``save_snapshot`` beside it.
_BESIDE: Final = {
    "snapshot_file": "Set save_snapshot=True.",
    "snapshot_interval": "Set save_snapshot=True.",
    "train_dir": "Set save_snapshot=True for snapshots; nothing else is written: follow a fit with fit(callbacks=...).",
}


def refuse_snapshots(given: Mapping[str, Any], expected: str, fix: str) -> None:
    """ParameterError for a parameter that asks for snapshots where there are none; the words are those of the error."""
    for name in SNAPSHOTS:
        if given.get(name):
            raise ParameterError(name, given[name], expected, fix)


def check_snapshots(checked: Mapping[str, object], written: Mapping[str, Written]) -> None:
    """ParameterError for what would write no snapshot without a word, and for what CatBoost refuses.

    ``save_snapshot=False`` is a word: beside it the others may stand, as what is to be done another time.
    """
    if checked.get("save_snapshot") and checked.get("allow_writing_files") is False:
        user = written["save_snapshot"]
        raise ParameterError(
            user.name, user.value, "it to be left out with allow_writing_files=False", "Leave out one of the two."
        )
    if "save_snapshot" in checked:
        return
    for name, fix in _BESIDE.items():
        if name in checked:
            user = written[name]
            raise ParameterError(user.name, user.value, "save_snapshot=True beside it", fix)
