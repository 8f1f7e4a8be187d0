"""What a search is once it has ended: its best estimator, to which scikit-learn's methods go."""

from pathlib import Path
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.metrics import get_scorer
from sklearn.utils.metaestimators import available_if

from gbdist.errors import ParameterError
from gbdist.estimators.plotting import plot_at
from gbdist.estimators.preparation.inputs import is_lazy


def _best_has(name: str) -> Any:
    """Whether the best estimator, or before ``fit`` the given one, has a method."""

    def has(search: "BestEstimator") -> bool:
        getattr(getattr(search, "best_estimator_", search.estimator), name)
        return True

    return has


class BestEstimator:
    """What of a search goes to ``best_estimator_``, and before ``fit`` is asked of ``estimator``."""

    estimator: Any
    best_estimator_: Any
    scoring: Any
    scorer_: Any
    multimetric_: bool
    search: Any
    refit: Any
    study_: Any
    n_splits_: int

    @available_if(_best_has("predict"))  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict(self, X: Any) -> Any:
        """What the best estimator predicts."""
        return self._best().predict(X)

    @available_if(_best_has("predict_proba"))  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_proba(self, X: Any) -> Any:
        """What the best estimator predicts."""
        return self._best().predict_proba(X)

    @available_if(_best_has("predict_log_proba"))  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def predict_log_proba(self, X: Any) -> Any:
        """What the best estimator predicts."""
        return self._best().predict_log_proba(X)

    @available_if(_best_has("decision_function"))  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def decision_function(self, X: Any) -> Any:
        """What the best estimator says."""
        return self._best().decision_function(X)

    @available_if(_best_has("transform"))  # type: ignore[untyped-decorator]  # scikit-learn has no types
    def transform(self, X: Any) -> Any:
        """What the best estimator makes of X."""
        return self._best().transform(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The score of the best estimator: by ``scoring`` in memory, on collections by the estimator's own ``score`` alone."""
        best, weight = self._best(), {} if sample_weight is None else {"sample_weight": sample_weight}
        scorer = self._first_scorer
        if scorer.function is not None:
            return float(scorer.function(best, X, y))
        if self.scoring is None:
            return float(best.score(X, y, **weight))
        name = scorer.name if self.multimetric_ and isinstance(self.scoring, list | tuple) else self.scoring
        try:
            known = get_scorer(name)
        except (ValueError, TypeError):
            known = None
        if known is None or is_lazy(X):
            expected = "a score that the estimator or, in memory, scikit-learn computes"
            raise ParameterError("scoring", name, expected, "Use best_estimator_.score.")
        return float(known(best, X, y, **weight))

    def plot(self, path: Any = None) -> Path | None:
        """Write a page about the search, which opens in any browser: how it went, which parameters mattered, and all trials.

        Parameters
        ----------
        path : path, or text file open for writing; left out: ``search.html`` in the current folder

        Returns
        -------
        Where the page is; None for an open file.

        Raises
        ------
        NotFittedError
            Nothing has been searched yet.
        ParameterError
            No file can be made there.
        """
        if not hasattr(self, "study_"):
            raise NotFittedError("This DaskSearchCV was not fitted. Call 'fit' before using this method.")
        page = plot_at("path", path, "search.html")
        from gbdist.selection.searching.page import page_of_search  # loads Bokeh

        scorer = self._first_scorer
        scoring = self.scoring if isinstance(self.scoring, str) else scorer.name
        return page.write(page_of_search(self.study_, scoring, self._details()))

    @property
    def classes_(self) -> Any:
        """Those of the best estimator."""
        return self._best().classes_

    @property
    def n_features_in_(self) -> int:
        """Columns that the best estimator was trained on."""
        if not hasattr(self, "best_estimator_"):
            raise AttributeError("DaskSearchCV has no n_features_in_ before fit with refit=True")
        return int(self.best_estimator_.n_features_in_)

    @property
    def _first_scorer(self) -> Any:
        """The one that decides which trial is best."""
        return next(iter(self.scorer_.values())) if self.multimetric_ else self.scorer_

    def _details(self) -> tuple[tuple[str, str], ...]:
        """What was searched, how, for the page."""
        search = self.search if isinstance(self.search, str) else type(self.search).__name__
        told = [("Estimator", type(self.estimator).__name__), ("Search", search), ("Folds", f"{self.n_splits_:,}")]
        if hasattr(self, "refit_time_"):
            told.append(("Fit of the best on all rows", f"{self.refit_time_:.3g} seconds"))
        return tuple(told)

    def _best(self) -> Any:
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError(f"This DaskSearchCV {self._unfitted()} before using this method.")
        return self.best_estimator_

    def _unfitted(self) -> str:
        """Why there is no best estimator, and what to do."""
        if not hasattr(self, "study_"):
            return "was not fitted. Call 'fit' with refit=True"
        if self.refit is False:
            return "was fitted with refit=False. Call 'fit' with refit=True"
        if not hasattr(self, "best_params_"):
            return "was ended before a trial had ended well. Call 'fit' again"
        return "was ended before the best parameters were fitted on all rows. Call 'fit' again, or fit best_params_"

    def __sklearn_tags__(self) -> Any:
        """Those of the estimator, as far as they are about what it takes and gives."""
        inner = self.estimator.__sklearn_tags__()
        tags = super().__sklearn_tags__()  # type: ignore[misc]  # of scikit-learn's BaseEstimator, which comes after this one
        tags.estimator_type, tags.classifier_tags = inner.estimator_type, inner.classifier_tags
        tags.regressor_tags, tags.target_tags, tags.input_tags = (
            inner.regressor_tags,
            inner.target_tags,
            inner.input_tags,
        )
        return tags
