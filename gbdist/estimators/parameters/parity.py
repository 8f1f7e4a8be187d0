"""The part of docs/parity.md that the parameter table makes: what each CatBoost parameter means here."""

from gbdist.estimators.parameters.aggregation import AGGREGATION
from gbdist.estimators.parameters.table import ALIASES, CLASSIFIER_ONLY, TABLE, OnlyAt, Refused, Rule, Used
from gbdist.estimators.parameters.value_checks import accepted_values, used_values

_HEAD = """\
# What of CatBoost is here

Every parameter of `CatBoostClassifier`, `CatBoostRegressor` and `CatBoostRanker` either means here what it means there, or is
refused at `fit` with an error that names it and says what to do. What is left out gets CatBoost's own default: the defaults, the
automatic learning rate and the refusal of combinations are asked of CatBoost itself
(`catboost.utils.compute_training_options`), not copied.

This file is written by `python bench/parity.py`, from the tables that the code itself reads and from what the installed CatBoost
knows; run it again after a change to either.
"""

_FOOT = """\

## Aliases

A parameter under two names is refused, as CatBoost refuses it, whether the values agree or not.

| alias | parameter |
|---|---|
{aliases}
## With `aggregate="models"`

Every worker trains CatBoost itself, so whatever CatBoost takes is passed on to it, and CatBoost is asked whether it does before
anything is started. Decided for all workers together, by the rules above: `iterations`, `random_seed`, borders (`border_count`,
`feature_border_type`, `nan_mode`, `per_float_feature_quantization`, `input_borders`), metrics and when to stop, class weights,
`thread_count`, progress. `task_type` may be "CPU", "GPU" or "auto", which is a GPU where a worker has one. Refused are
snapshots and, as above, whatever is about other files and classes. `cat_features`, `text_features` and `embedding_features` name
columns by name or by position among the features (none is found by its type), and need `merge="best"` in one round. The
parameters that are not CatBoost's:

| parameter | values | note |
|---|---|---|
{aggregation}
## What differs

* Random draws are a hash of (seed, tree, row or feature number), so that they do not depend on the cluster: a run that draws
  grows other trees than CatBoost with the same seed.
* Leaves of `leaf_estimation_method="Exact"` (the default of `MAE`, `Quantile`, `MAPE` and `LogCosh`) are exact for residuals in
  float64, which CatBoost takes in float32. Those of `MAPE` are the median in which a row weighs 1 / max(1, |label|), as in the
  loss; CatBoost weighs by what is left of the label.
* `Huber` with several leaf iterations moves where CatBoost, whose backtracking compares other losses, stays at 0. Negative labels
  are refused for `Poisson` and `Tweedie` in eval sets too.
* `learning_rate` below 0, `depth=0`, `random_strength`, `model_size_reg` and `min_data_in_leaf` below 0 and `one_hot_max_size`
  above 255, which CatBoost takes, are refused.
* With `grow_policy="Depthwise"` a `depth` of 16 is refused, with `"Lossguide"` one above 16 and more than 32768 `max_leaves`:
  CatBoost trains such trees, and crashes when the largest of them predict.
* With `grow_policy="Depthwise"` and `min_data_in_leaf`, CatBoost takes a leaf's sums for another's where both children of a leaf
  have too few rows (but not with several raw values a row, or `rsm` below 1). Here each leaf is split by its own sums.
* Columns of categories and of strings are categorical where `cat_features` is left out; CatBoost wants them named.
  `cat_nan="missing"`, which is not CatBoost's, says what stands for missing values in categorical columns, in `fit` and in
  `predict`; without it they are refused, as CatBoost refuses them.
* `bins_on_disk="auto"`, `True` or `False`, which is not CatBoost's, says whether quantized rows lie on the workers' disks; the
  model is the same.
* A ranker on histograms trains `YetiRank` (modes Classic, DCG and NDCG), `QueryRMSE`, `QuerySoftMax`, `PairLogit` (without
  `max_pairs`) and `LambdaMart` (of NDCG and DCG); negative relevances are refused for all but `QueryRMSE` and `PairLogit`. The
  draws of `YetiRank` are other ones than CatBoost's, its `decay` is from 0 to 1, and `beta` of `QuerySoftMax` not
  negative. `sample_weight` is refused for `PairLogit` and `YetiRank`, of which CatBoost
  takes the first row's for its group: pass `group_weight`. For `LambdaMart` an `l2_leaf_reg` above 0, monotone constraints and
  `leaf_estimation_method="Gradient"` are refused, with which CatBoost's leaves have the wrong sign. `subgroup_id` is refused, and
  columns of more than `one_hot_max_size` categories are.
* Statistics of categories ("CTRs") cut the target alike in a run: a `TargetBorderCount` or `TargetBorderType` of some of them
  alone is refused.
* Categories beyond `ctr_leaf_count_limit` count as never met, in training as in the model (CatBoost trains with their rows added
  to another category's), and statistics with a `CtrBorderCount` above 32 are cut in training as the model cuts them. Else the
  trees of categorical columns are CatBoost's, split for split, where nothing is left to chance (statistics: `has_time=True`) and
  no two scores are equal.
* Beside several labels a row (`MultiRMSE`, `MultiLogloss`, …) statistics of categories are refused, but for `Counter`: a model
  cannot tell those of different labels apart (docs/decisions/0024). The weighted metrics `MultiLogloss` and `MultiCrossEntropy`
  are weighted means, where CatBoost divides by the sum of the weights' integer parts; `proba_border`, which it does not heed
  there, is refused. Row weights count in the derivatives of `SurvivalAft`; CatBoost leaves them out. `score` of several numbers
  is the mean of the labels' R², as scikit-learn's; in CatBoost's a label weighs by its variance.
* `SurvivalAft` refuses ends of times at 0 or below, other than -1 for no end, and a lower end above the upper one; CatBoost
  trains on them.
* `monotone_constraints` hold for every label beside `MultiRMSE` and other losses of several labels; in CatBoost's models they may
  be broken there.
* With `model_shrink_rate` above 0, which `monotone_constraints` set too, and `Logloss`, `CrossEntropy` or `Poisson`, rounding
  differs: CatBoost keeps and shrinks e^prediction for these losses. Predictions differ by some 1e-5 after two trees and by more
  with every tree, until splits of nearly equal scores are other ones.
* Columns that an `input_borders` file does not name, of an empty file all, get borders as without the file; CatBoost gives them
  32, whatever `border_count` says.
* `monotone_constraints`, `feature_weights` and `first_feature_use_penalties` in one string, such as `"(1,0,0)"` or `"a:0.1"`, are
  refused: give a list or a dictionary.
* `Cox` has leaves of all rows at risk; CatBoost estimates them in blocks of 500 rows (docs/decisions/0025). Weights,
  which it does not heed there, are refused.
* Parameters go to the estimator: `fit` takes data, `callbacks`, `init_model`, `plot` and `plot_file`, and none of CatBoost's
  other arguments of `fit` (`verbose`, `early_stopping_rounds`, `use_best_model`, `cat_features`, …).
* `select_features` takes the same columns as CatBoost's of one and the same model, and looks at fewer rows where they are many;
  what differs is in [selection.md](selection.md#selecting-columns). Tags of columns are refused.
* `plot=True`, of `fit` and of `cv`, writes a page, `report.html` in the current folder or `plot_file`, in place of a widget in
  a notebook; it shows learning curves as CatBoost's, and more.
* A loss or metric that is an object has a vectorised form too, and is called for blocks of rows, or row by row; a metric must be
  a sum over rows, where CatBoost hands all of them to `evaluate` ([custom.md](custom.md)).
* `objective` and `loss_function` together are refused; in CatBoost the first silently wins.
* Snapshots compare labels, `learning_rate` and names of columns too, and are kept whatever ends a fit; CatBoost cannot read them
  ([reliability.md](reliability.md#checkpoints)). `snapshot_file`, `snapshot_interval` and `train_dir` are refused without
  `save_snapshot`, where CatBoost writes none without a word.
* `od_type="Wilcoxon"` is refused.
* CatBoost's models keep their first trees alone with `shrink`, and `sum_models` adds them up. `gbdist.compress` makes smaller
  models in other ways too, which end as CatBoost models again, and `merge_models` adds up models whose borders and categories
  differ ([compression.md](compression.md)).
* Labels that are numbers in text, such as `"9"` and `"10"`, are ordered as text, as scikit-learn orders them; CatBoost orders
  them by value. Weights that follow the order of the classes are refused for them; `class_weights={{label: weight}}` is not.
"""


def parameters_text() -> str:
    """Title, tables of parameters, and what differs."""
    parts = [_HEAD]
    for title, kind in (
        ("The same as in CatBoost", Used),
        ("Accepted where it means what is done anyway", OnlyAt),
        ("Refused", Refused),
    ):
        rows = [_row(name, rule) for name, rule in TABLE.items() if isinstance(rule, kind)]
        columns = {Used: "values | note", OnlyAt: "accepted at | why", Refused: "what to do"}[kind]
        parts.append(
            f"\n## {title}\n\n| parameter | {columns} |\n|{'---|' * (columns.count('|') + 2)}\n{''.join(rows)}"
        )
    aliases = "".join(f"| `{alias}` | `{name}` |\n" for alias, name in ALIASES.items())
    aggregation = "".join(f"| `{name}` | {used_values(rule)} | {rule.note} |\n" for name, rule in AGGREGATION.items())
    return "".join(parts) + _FOOT.format(aliases=aliases, aggregation=aggregation)


def _row(name: str, rule: Rule) -> str:
    match rule:
        case Used():
            only = ["classifier only"] if name in CLASSIFIER_ONLY else []
            cells = [used_values(rule), "; ".join([rule.note] * bool(rule.note) + only)]
        case OnlyAt():
            cells = [accepted_values(rule) or "any value", rule.why]
        case Refused():
            cells = [rule.fix]
    return "| " + " | ".join([f"`{name}`", *cells]) + " |\n"
