"""What one ``fit`` of a network is to train: data sets, settings and listeners, as they were given and first checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gbdist.boosting.events import Event, Listener
from gbdist.errors import DataError
from gbdist.estimators.columns import ColumnRules, Unbinned
from gbdist.estimators.fitted import is_pool
from gbdist.estimators.listeners import CallbackListener, heard_by
from gbdist.estimators.networks.model import NetworkModel
from gbdist.estimators.networks.parameters import Settings
from gbdist.estimators.preparation.pipeline import Source
from gbdist.estimators.profile import Profile
from gbdist.estimators.sources import Given, sources_of
from gbdist.neural.network.vocabulary import Vocabulary
from gbdist.neural.training.params import TrainParams
from gbdist.neural.training.state import TrainState
from gbdist.neural.training.strategies.make import initial_progress
from gbdist.quantize.scales import ColumnScale, ScaleRules

_HELD_OUT = "validation_fraction"
#: Fewer held-out rows decide about nothing, as scikit-learn has it.
LEAST_HELD_OUT = 2
_POOL = "Pass the collection that it was made of: a DaskPool keeps bins, and a network is trained on numbers."


@dataclass(frozen=True, eq=False)
class Start:
    """What a run goes on from: a model, whose columns are encoded as they were, and where its run was, if it goes on with that.

    ``state.progress.flat`` are the model's parameters, and ``state.stopped`` is empty; without a state the optimizer is new.
    """

    model: NetworkModel
    state: TrainState | None = None

    def begin(self, params: TrainParams) -> TrainState:
        """Where the run begins."""
        if self.state is not None:
            return self.state
        fresh = initial_progress(self.model.spec, params)
        return TrainState(replace(fresh, flat=self.model.flat.astype(fresh.flat.dtype)))


@dataclass(frozen=True, eq=False)
class NetworkRequest:
    """What is to be trained.

    Parameters
    ----------
    sources : tuple of Source
        The training set, then its rows that are ``held_out`` if any are, or else the eval sets.
    classes : tuple or None
        Those that are known before the data are seen.
    one_epoch : bool
        Whether that is all that is wanted, as ``partial_fit`` does.
    """

    settings: Settings
    classifier: bool
    sources: tuple[Source, ...]
    held_out: bool
    columns: ColumnRules
    listener: Listener | None = None
    callbacks: CallbackListener | None = None
    start: Start | None = None
    classes: tuple[Any, ...] | None = None
    one_epoch: bool = False
    profile: Profile | None = None

    def names(self) -> list[str]:
        """What errors call the data sets, the training set first."""
        return [source.name for source in self.sources]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return self.sources[0].parts.feature_names

    @property
    def unbinned(self) -> Unbinned:
        """The categorical columns."""
        return self.sources[0].parts.unbinned

    def scaling(self) -> ScaleRules:
        """How numeric columns are scaled: those of a model that is gone on with as they were."""
        known: dict[str, ColumnScale] = {}
        if self.start is not None:
            model = self.start.model
            numeric = [name for at, name in enumerate(model.names) if at not in model.hashed]
            known = dict(zip(numeric, model.scales, strict=True))
        return ScaleRules(self.settings["scaling"], self.settings["scaling"] != "none", known)

    @property
    def known_vocabularies(self) -> tuple[Vocabulary, ...] | None:
        """Those of a model that is gone on with; None: the training set's are to be found."""
        return None if self.start is None else self.start.model.vocabularies

    def heard(self) -> Callable[[Event], bool] | None:
        """One function for all listeners; None where there are none."""
        return heard_by(self.listener, self.callbacks)


def network_sources(
    train: Given, eval_sets: Sequence[Any], settings: Settings, columns: ColumnRules
) -> tuple[tuple[Source, ...], bool]:
    """The data sets of a fit, and whether the second one is held out of the first; nothing is computed.

    Rows are held out where ``early_stopping`` has no eval set to go by: by a hash of their numbers, as ``eval_fraction`` does.
    Where the preset alone wants that, data that are too few for it are trained on without.
    """
    for name, given in [("X", train.X), *(("eval_set", one) for one in eval_sets)]:
        if is_pool(given):
            raise DataError(name, "a DaskPool", "rows with their raw values", _POOL)
    if eval_sets or not settings["early_stopping"]:
        return sources_of(train, eval_sets, None, columns), False
    share = float(settings["validation_fraction"])
    (whole,) = sources_of(train, [], None, columns)
    few = whole.parts.n_rows is not None and whole.parts.n_rows * share < LEAST_HELD_OUT
    if few and "early_stopping" not in settings.given:
        return (whole,), False
    kept, held_out = sources_of(train, [], share, columns)
    return (kept, replace(held_out, name=_HELD_OUT)), True
