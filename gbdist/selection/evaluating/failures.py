"""Folds whose fit or score fails: an error, or a score with a warning, as in scikit-learn."""

import traceback
from collections.abc import Callable
from math import nan
from numbers import Real
from typing import Any
from warnings import warn

from sklearn.exceptions import FitFailedWarning

from gbdist.errors import ModelError, ParameterError


class Failures:
    """What has failed. ``error_score`` is "raise", or the score of what fails."""

    def __init__(self, error_score: Any) -> None:
        self._raises = isinstance(error_score, str) and error_score == "raise"
        if not self._raises and (not isinstance(error_score, Real) or isinstance(error_score, bool)):
            raise ParameterError("error_score", error_score, "'raise' or a number", "Leave it out for NaN.")
        self.score = nan if self._raises else float(error_score)
        self._fits: list[str] = []

    def fit(self, estimator: Any, fit: Callable[[Any], Any]) -> tuple[Any, Any]:
        """The estimator, and what ``fit`` says of it; None where it fails."""
        try:
            return estimator, fit(estimator)
        except Exception:
            if self._raises:
                raise
            self._fits.append(traceback.format_exc())
            return estimator, None

    def score_failed(self, name: str, error: Exception) -> float:
        """The score in place of one that has failed with ``error``."""
        if self._raises:
            raise error
        told = "".join(traceback.format_exception(error))
        text = f"Scoring failed. The score {name!r} of this fold is set to {self.score}. {told}"
        warn(text, UserWarning, stacklevel=4)
        return self.score

    def tell(self, n_fits: int) -> None:
        """Warn of fits that have failed; ModelError if all have."""
        if not self._fits:
            return
        first = self._fits[0]
        if len(self._fits) == n_fits:
            fix = "Correct what it says, or set error_score='raise' to see where it is raised"
            raise ModelError(f"All {n_fits} fits failed, the first of them so:\n{first}", fix)
        text = f"{len(self._fits)} of {n_fits} fits failed; their scores are {self.score}. The first of them:\n{first}"
        warn(text, FitFailedWarning, stacklevel=4)
