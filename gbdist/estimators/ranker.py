"""The ranker that users import."""

from collections.abc import Mapping
from typing import Any, Self

from gbdist.description import name_of
from gbdist.errors import DataError
from gbdist.estimators.arguments import refuse_arguments
from gbdist.estimators.base import DaskCatBoost
from gbdist.estimators.parameters.table import EVAL_SET_OF_GROUPS
from gbdist.estimators.plotting import plot_asked
from gbdist.estimators.selection_arguments import Wanted, refuse_others
from gbdist.models.catboost_format import as_fitted, cbm_bytes, read_cbm

_EVAL_KEYS = ("X", "y", "group_id", "sample_weight", "group_weight", "pairs")


class DaskCatBoostRanker(DaskCatBoost):
    """Trains a CatBoost ranker on a Dask cluster; what comes out is a plain ``catboost.CatBoostRanker``.

    Losses: ``YetiRank`` (default), ``QueryRMSE``, ``QuerySoftMax``, ``PairLogit`` (of all pairs of a group, or of given ones) and
    ``LambdaMart``, with CatBoost's options; with ``aggregate="models"`` every ranking loss of CatBoost's that needs no more than
    ``group_id`` (docs/choosing.md).

    Parameters
    ----------
    aggregate : "histograms" (default) or "models"
    iterations, learning_rate, depth, … : CatBoost's parameters under any of its names, left out: CatBoost's defaults
    verbose : False, True or n for a line every n trees; left out: a bar in a terminal, silence elsewhere
    client : a Dask client, or the address of a scheduler; left out: the current client, else a local cluster
        Fewer than 10,000 rows in memory are trained in this process, without a cluster.

    Attributes
    ----------
    model_ : catboost.CatBoostRanker
    n_features_in_, feature_names_in_ : as scikit-learn's
    evals_result_ : {data set: {metric: [value of each round]}}
    best_iteration_, best_score_ : of the eval set
    """

    _is_ranker = True
    _prediction_types = ("RawFormulaVal",)

    def fit(  # groups in place of what would cut them
        self,
        X: Any,
        y: Any = None,
        *,
        group_id: Any = None,
        sample_weight: Any = None,
        group_weight: Any = None,
        subgroup_id: Any = None,
        pairs: Any = None,
        eval_set: Any = None,
        init_model: Any = None,
        callbacks: Any = None,
        plot: bool = False,
        plot_file: Any = None,
        profile: Any = None,
        **others: Any,
    ) -> Self:
        """Train on X, y and group_id; everything given is checked before anything is started.

        Parameters
        ----------
        X : Dask DataFrame or Array, pandas or polars DataFrame, NumPy array, PyArrow table, scipy sparse matrix
        y : vector, or name of a column of X
            How relevant each row is: the larger, the higher it should rank.
        group_id : vector, or name of a column of X
            Which rows are ranked together, as integers or strings. The rows of a group are neighbours; they may lie in several
            partitions, and go to one worker.
        sample_weight : vector, or name of a column of X, optional
            Not with ``PairLogit`` and ``YetiRank``, whose pairs weigh as their group does.
        group_weight : vector, or name of a column of X, optional
            In place of ``sample_weight``: one value a row, the same for all rows of a group.
        subgroup_id : None
            Refused: on CPUs CatBoost looks at it in the metric ``PFound`` alone.
        pairs : array or frame [n_pairs, 2] of row numbers from 0, or [n_pairs, 3] with a weight, optional
            (winner, loser) of rows of one group, for ``PairLogit``; left out: all pairs of rows of a group with different labels.
        eval_set : dict of these arguments, or a list of such, optional
            ``{"X": X_val, "y": y_val, "group_id": group_val}``, with ``"sample_weight"`` or ``"group_weight"`` if metrics are
            to be weighted.
        init_model, callbacks, plot, plot_file, profile, others : as of the other estimators

        Raises
        ------
        ParameterError, DataError, ModelError, ClusterError
        """
        refuse_arguments(others, type(self).__name__, self.fit, ranker=True)
        _require_groups("", X, group_id)
        if subgroup_id is not None:
            expected = "None: no loss looks at it, and of the metrics PFound alone, which is computed without it"
            raise DataError("subgroup_id", "a value", expected, "Leave it out.")
        self._refuse_pairs(pairs)
        try:
            return self._fit(
                X,
                y,
                sample_weight=sample_weight,
                group_id=group_id,
                group_weight=group_weight,
                pairs=pairs,
                eval_sets=_eval_sets(eval_set),
                init_model=init_model,
                callbacks=callbacks,
                plot=plot_asked(plot, plot_file),
                profile=profile,
            )
        except DataError as error:
            if group_weight is None or "group_weight" in str(error):
                raise
            # Weights of groups travel as those of their rows.
            raise DataError(*(str(one).replace("sample_weight", "group_weight") for one in error.args)) from error

    def select_features(  # groups in place of what would cut them
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
        group_id: Any = None,
        sample_weight: Any = None,
        group_weight: Any = None,
        pairs: Any = None,
        callbacks: Any = None,
        **others: Any,
    ) -> dict[str, Any]:
        """Eliminate columns step by step, as of the other estimators; ``group_id`` and what follows it are as of ``fit``."""
        refuse_others(others, type(self).__name__)
        _require_groups("", X, group_id)
        self._refuse_pairs(pairs)
        wanted = Wanted(
            features_for_select, num_features_to_select, algorithm, steps, shap_calc_type, train_final_model
        )
        return self._select_features(
            X,
            y,
            wanted,
            group_id=group_id,
            sample_weight=sample_weight,
            group_weight=group_weight,
            pairs=pairs,
            eval_sets=_eval_sets(eval_set),
            callbacks=callbacks,
            verbose=verbose,
            logging_level=logging_level,
        )

    def _refuse_pairs(self, pairs: Any) -> None:
        """DataError for pairs that nobody would look at."""
        given = self.given_parameters()
        loss = str(given.get("loss_function") or given.get("objective") or "YetiRank")
        if pairs is None or (given.get("aggregate") in (None, "histograms") and name_of(loss) == "PairLogit"):
            return
        expected = f"None with loss_function={loss!r} and aggregate={given.get('aggregate') or 'histograms'!r}"
        raise DataError("pairs", "a value", expected, 'Set loss_function="PairLogit", or leave pairs out.')

    def _adopt(self, model: Any, labels: Any, class_names: Any = None) -> None:
        """Take a model of raw values as a ranker's."""
        super()._adopt(as_fitted(read_cbm(cbm_bytes(model), self._new_model())), labels, class_names)

    def _new_model(self) -> Any:
        from catboost import CatBoostRanker

        return CatBoostRanker()


def _eval_sets(given: Any) -> list[Any]:
    """Eval sets as ``train`` takes them."""
    from gbdist.estimators.sources import Given

    listed = given if isinstance(given, list) else [] if given is None else [given]
    sets = []
    for number, one in enumerate(listed):
        name = "eval_set" if len(listed) == 1 else f"eval_set[{number}]"
        fix = f"Pass {EVAL_SET_OF_GROUPS}."
        if not isinstance(one, Mapping):
            raise DataError(name, f"a {type(one).__name__}", "a dict of fit's arguments", fix)
        unknown = [key for key in one if key not in _EVAL_KEYS]
        if unknown or "X" not in one:
            found = f"the key {unknown[0]!r}" if unknown else "no key 'X'"
            raise DataError(name, found, f"keys among {', '.join(map(repr, _EVAL_KEYS))}", fix)
        _require_groups(name, one["X"], one.get("group_id"))
        if one.get("y") is None:
            raise DataError(f"{name}, y", "None", "one value a row, or the name of a column of X", fix)
        sets.append(Given(**one))
    return sets


def _require_groups(name: str, X: Any, group_id: Any) -> None:
    where = f"{name}, " if name else ""
    if type(X).__name__ == "DaskPool":  # by name: whoever has none need not load what a pool needs
        raise DataError(f"{where}X", "a DaskPool, which keeps no groups", "the rows themselves", "Pass the collection.")
    if group_id is None:
        example = EVAL_SET_OF_GROUPS if name else 'fit(X, y, group_id="query")'
        expected = "one group a row, or the name of a column of X"
        raise DataError(f"{where}group_id", "None", expected, f"Say which rows are ranked together: {example}.")
