"""The method of the estimators of trees that eliminates columns, as CatBoost's ``select_features``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from gbdist.errors import ParameterError
from gbdist.estimators.fitted import as_list
from gbdist.estimators.parameters.check import check_parameters, checked_bins_on_disk
from gbdist.estimators.parameters.talk import with_talk
from gbdist.estimators.selection_arguments import Wanted, refuse_others


class FeatureSelector:
    """An estimator of trees that can be trained on fewer columns of its data, step by step."""

    _is_classifier: ClassVar[bool]
    _is_ranker: ClassVar[bool]

    if TYPE_CHECKING:
        client: Any
        cat_nan: str | None
        bins_on_disk: Any

        given_parameters: Callable[[], dict[str, Any]]

        def _check_target(self, X: Any, y: Any) -> None: ...
        def _take_model(self, model: Any, labels: Any, class_names: Any, record: Any) -> Any: ...

    def select_features(
        self,
        X: Any,
        y: Any = None,
        eval_set: Any = None,
        features_for_select: Any = None,
        num_features_to_select: Any = None,
        algorithm: Any = "RecursiveByShapValues",
        steps: int = 1,
        shap_calc_type: Any = "Regular",
        train_final_model: bool = True,
        verbose: Any = None,
        logging_level: Any = None,
        *,
        sample_weight: Any = None,
        eval_fraction: float | None = None,
        baseline: Any = None,
        callbacks: Any = None,
        **others: Any,
    ) -> dict[str, Any]:
        """Eliminate columns step by step, as CatBoost's method of this name, and train on those that are left.

        Data are quantized once, whatever the number of steps; each fit is that with ``ignored_features``, bit for bit.

        Parameters
        ----------
        X, y, eval_set, sample_weight, eval_fraction, baseline, callbacks : as of ``fit``; callbacks are called by each fit
            Losses, and what columns contribute, are those on the first eval set, or without any on X: on all of its rows, or on
            some 200,000 of them by hash of their numbers.
        features_for_select : names, positions and ranges such as "2-4", in a list or in one string; left out: all columns
        num_features_to_select : int
            How many of them to keep.
        algorithm : "RecursiveByShapValues", "RecursiveByLossFunctionChange" or "RecursiveByPredictionValuesChange"
            What goes is what the loss needs least in the SHAP values, those before taken out; the same, each taken from the whole
            model; or what changes predictions least.
        steps : int
            How many times to train before columns go; more steps choose better.
        shap_calc_type : "Regular", "Approximate" or "Exact"
        train_final_model : bool
            Whether this estimator is to be fitted on the columns that are left, the others ignored; else it stays as it is.
        verbose, logging_level : in place of those of the estimator, for this call
        others
            Refused; the error says what to do instead.

        Returns
        -------
        dict, CatBoost's summary
            ``selected_features``, ``eliminated_features`` (in the order in which they went), both also as ``…_names``, and
            ``loss_graph``: ``removed_features_count``, ``loss_values``, and in ``main_indices`` which of these were measured by
            training, where the others are estimates.

        Raises
        ------
        ParameterError, DataError, ClusterError
            Before anything is trained, where something is wrong with what was given.
        """
        refuse_others(others, type(self).__name__)
        wanted = Wanted(
            features_for_select, num_features_to_select, algorithm, steps, shap_calc_type, train_final_model
        )
        return self._select_features(
            X,
            y,
            wanted,
            sample_weight=sample_weight,
            eval_sets=as_list(eval_set),
            eval_fraction=eval_fraction,
            baseline=baseline,
            callbacks=callbacks,
            verbose=verbose,
            logging_level=logging_level,
        )

    def _select_features(
        self, X: Any, y: Any, wanted: Wanted, *, verbose: Any, logging_level: Any, **given: Any
    ) -> dict[str, Any]:
        """Check the parameters, select, and keep the last model; ``given`` are the other arguments of ``select_columns``."""
        aggregation, parameters = check_parameters(
            with_talk(self.given_parameters(), verbose, logging_level),
            classifier=self._is_classifier,
            ranker=self._is_ranker,
        )
        if aggregation is not None:
            raise ParameterError("aggregate", "models", "'histograms' with select_features", "Leave it out.")
        self._check_target(X, y)
        from gbdist.estimators.selecting import select_columns  # loads Numba's kernels, which only training needs

        selected = select_columns(
            X,
            y,
            wanted,
            parameters=parameters,
            classifier=self._is_classifier,
            client=self.client,
            cat_nan=self.cat_nan,
            on_disk=checked_bins_on_disk(self.bins_on_disk),
            **given,
        )
        last = selected.result
        if last is not None:
            self._take_model(last.model, last.labels, last.class_names, last.record)
        return selected.summary
