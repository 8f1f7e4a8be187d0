"""How parameters are drawn, and which trials end early: Optuna's samplers and pruners, by the name of a search."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zlib import crc32

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from gbdist.errors import ParameterError
from gbdist.selection.evaluating.result import AskedAfter
from gbdist.selection.searching.hearing import is_told
from gbdist.selection.searching.spaces import Space

#: What ``search`` may be, beside a sampler of Optuna's.
SEARCHES: Final = ("grid", "random", "bayesian", "genetic", "cmaes", "hyperband")
#: What ``pruner`` may be, beside one of Optuna's.
PRUNERS: Final = ("median", "halving", "hyperband")
#: The attribute of a trial that says which one of the search it is. A trial that was cut off is tried again under its number.
NUMBER: Final = "gbdist:number"
#: Of so many trials hyperband keeps one where it looks.
_KEPT_OF = 3
#: The first look of hyperband is at one of so many iterations, or at the first one.
_LOOKS = 81


@dataclass(frozen=True, eq=False)
class Search:
    """A way to search.

    Parameters
    ----------
    name : the user's, or the name of the sampler's class
    grid : all combinations, of a grid; None otherwise
    learns : whether what is drawn depends on how earlier trials ended
    prunes : whether trials may end early
    begun : the sampler for a study that has some trials already, by their number; None: the same
    seed : what it draws by; None where nothing is drawn, and of a sampler of the user's
    looks : the iterations after which the pruner looks at a trial, where they are known
    """

    name: str
    sampler: BaseSampler
    pruner: BasePruner
    grid: tuple[Mapping[str, Any], ...] | None
    learns: bool
    begun: Callable[[int], BaseSampler] | None = None
    seed: int | None = None
    looks: frozenset[int] | None = None

    def trials(self, n_trials: int | None) -> int | None:
        """How many there are in all, where so many are wanted: a grid has all its combinations."""
        return n_trials if self.grid is None else len(self.grid)

    @property
    def prunes(self) -> bool:
        """Whether trials may end early."""
        return not isinstance(self.pruner, NopPruner)

    @property
    def asked_after(self) -> AskedAfter | None:
        """After which iterations the pruner is asked: where hyperband and halving look, of others those that are told of."""
        if not self.prunes:
            return None
        return is_told if self.looks is None else self.looks.__contains__

    @property
    def in_words(self) -> str:
        """By what it is known from other searches of the same: how it draws, by which seed, and which pruner it has."""
        words = [self.name, *([] if self.seed is None else [f"seed {self.seed}"])]
        return ", ".join([*words, *([type(self.pruner).__name__] if self.prunes else [])])


class NumberedSampler(BaseSampler):
    """Draws by seed, number of the trial and name of the parameter alone, as Optuna's RandomSampler does by its seed.

    So neither the order in which trials are asked for, nor what was asked for before, changes any of them.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space, self._seed = space, seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is drawn together."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """See ``infer_relative_search_space``."""
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """One value."""
        number = trial.user_attrs.get(NUMBER, trial.number)
        words = np.random.SeedSequence([self._seed, number, crc32(param_name.encode())]).generate_state(1)
        drawn = self._space.dimensions[param_name].drawn
        if drawn is not None:
            value = drawn.rvs(random_state=np.random.RandomState(words))
            return value.item() if isinstance(value, np.generic) else value
        return RandomSampler(int(words[0])).sample_independent(study, trial, param_name, param_distribution)


def make_search(
    search: Any,
    pruner: Any,
    space: Space,
    *,
    seed: int,
    iterations: int | None,
    side_by_side: int = 1,
) -> Search:
    """What ``search`` and ``pruner`` ask for.

    Parameters
    ----------
    search : one of ``SEARCHES``, or a sampler of Optuna's
    pruner : one of ``PRUNERS``, a pruner of Optuna's, or None for none, and for that of ``search="hyperband"``
    iterations : the most trees or epochs of a trial, None where that is not known
    side_by_side : how many trials are asked for before one of them ends

    Raises
    ------
    ParameterError
        For anything else, and for a space that the search cannot use.
    """
    chosen, looks = _pruner("pruner", "hyperband" if search == "hyperband" and pruner is None else pruner, iterations)
    if isinstance(search, BaseSampler):
        _refuse_drawn(space, type(search).__name__)
        learns = not isinstance(search, RandomSampler)
        return Search(type(search).__name__, search, chosen, None, learns, looks=looks)
    if not isinstance(search, str) or search not in SEARCHES:
        raise ParameterError(
            "search", search, f"one of {', '.join(map(repr, SEARCHES))}, or a sampler of Optuna's", "Change it."
        )
    if search == "grid":
        grid = tuple(space.grid())
        return Search(search, RandomSampler(seed), chosen, grid, learns=False, looks=looks)
    if len(space.tables) > 1:
        fix = "Give one dictionary, or set search='grid'."
        raise ParameterError("space", f"{len(space.tables)} dictionaries", f"one with search={search!r}", fix)
    if search in ("random", "hyperband"):
        return Search(search, NumberedSampler(space, seed), chosen, None, learns=False, seed=seed, looks=looks)
    _refuse_drawn(space, search)
    if search == "cmaes":
        _require_numbers(space)

    def sampler(seed: int) -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some of what is asked for is experimental in some releases of Optuna
            return _LEARNING[search](seed, side_by_side)

    def begun(n_trials: int) -> BaseSampler:
        # With the same seed it would draw what it drew at first once more.
        return sampler(int(np.random.SeedSequence([seed, n_trials]).generate_state(1)[0]))

    return Search(search, sampler(seed), chosen, None, learns=True, begun=begun, seed=seed, looks=looks)


def _bayesian(seed: int, side_by_side: int) -> BaseSampler:
    """Trials that run count as bad ones where there are several, so that they are not drawn again."""
    return TPESampler(seed=seed, constant_liar=True) if side_by_side > 1 else TPESampler(seed=seed)


_LEARNING: dict[str, Callable[[int, int], BaseSampler]] = {
    "bayesian": _bayesian,
    "genetic": lambda seed, side_by_side: NSGAIISampler(seed=seed),
    "cmaes": lambda seed, side_by_side: CmaEsSampler(seed=seed),
}


def _pruner(name: str, given: Any, iterations: int | None) -> tuple[BasePruner, frozenset[int] | None]:
    """A pruner, and the iterations after which it looks, where they are known."""
    if given is None:
        return NopPruner(), None
    if isinstance(given, BasePruner):
        return given, None
    if given == "median":
        return MedianPruner(), None
    if given in ("halving", "hyperband"):
        if iterations is None:
            expected = "None, or a pruner of Optuna's, for an estimator whose iterations are not known"
            raise ParameterError(name, given, expected, "Set the estimator's iterations.")
        least = max(1, iterations // _LOOKS)
        looks = frozenset(_looks(least, iterations))
        if given == "halving":
            return SuccessiveHalvingPruner(min_resource=least, reduction_factor=_KEPT_OF), looks
        return HyperbandPruner(min_resource=least, max_resource=iterations, reduction_factor=_KEPT_OF), looks
    expected = f"one of {', '.join(map(repr, PRUNERS))}, a pruner of Optuna's, or None"
    raise ParameterError(name, given, expected, "Leave it out.")


def _looks(first: int, most: int) -> Iterator[int]:
    """Where successive halving looks, in whichever bracket of hyperband."""
    while first <= most:
        yield first
        first *= _KEPT_OF


def _refuse_drawn(space: Space, search: str) -> None:
    """ParameterError for a distribution that only random search can draw from."""
    for name, dimension in space.dimensions.items():
        if dimension.drawn is not None:
            fix = 'Give a range, or set search="random".'
            expected = f"uniform, loguniform or randint of scipy.stats with search={search!r}, which Optuna has too"
            raise ParameterError(f"space: {name}", dimension.drawn.dist.name, expected, fix)


def _require_numbers(space: Space) -> None:
    """ParameterError for what CMA-ES cannot vary: it moves a point of at least two numbers."""
    for name, dimension in space.dimensions.items():
        if not dimension.numeric:
            expected = "a range of numbers with search='cmaes'"
            fix = 'Write {"low": …, "high": …}, or set search="bayesian".'
            raise ParameterError(f"space: {name}", list(dimension.values or ()), expected, fix)
    if len(space.dimensions) < 2:
        expected = "at least two parameters with search='cmaes'"
        raise ParameterError("space", list(space.dimensions), expected, 'Set search="bayesian".')
