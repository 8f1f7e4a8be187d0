"""``gbdist train``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gbdist.jobs.options import train_job
from gbdist_cli import completion
from gbdist_cli.config import TRAIN
from gbdist_cli.groups import TALK, TRAINED, WORKERS, job_options, takes
from gbdist_cli.options import require_address, with_progress
from gbdist_cli.output import out, table_of

ModelOutOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="MODEL.CBM",
        help="Where the model goes.  [default: model.cbm]",
        autocompletion=completion.files(".cbm"),
    ),
]
SnapshotOption = Annotated[
    str | None,
    typer.Option(
        "--snapshot",
        metavar="PATH",
        help="Keep what is trained so far here (a path or a URL), and go on from it where it is there already.",
    ),
]
ProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        metavar="DIR",
        help="Write a timeline of all ranks here, and say where the time went.",
        autocompletion=completion.files("/"),
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say where rows would go and what memory each worker needs; train nothing.")
]


@takes(
    TRAINED,
    WORKERS,
    {"output": ModelOutOption, "snapshot": SnapshotOption, "profile": ProfileOption, "dry_run": DryRunOption},
    TALK,
)
def train(**typed: Any) -> None:
    """Train a model from files and save it.

    **Examples**

    * gbdist train sales.parquet --target bought
    * gbdist train 'sales/2024-*.parquet' --target price --eval holdout.parquet -p iterations=500 -p depth=8
    * gbdist train clicks/ --target clicked --cat shop,city --cat-nan missing
    * gbdist train clicks/ --target relevance --group query -p eval_metric=NDCG:top=10
    * gbdist train rooms/ --target heat --target light -p loss_function=MultiRMSE
    * gbdist train data/ --target price --scheduler tcp://host:8786 -o price.cbm
    * gbdist train data/ --target price --scheduler tls://host:8786 --tls certs
    * gbdist train data/ --target price --snapshot runs/price   (and once more, where it was ended)
    * gbdist train data/ --target price --profile profile   (then open profile/trace.json in https://ui.perfetto.dev)
    * gbdist train --config job.toml --dry-run
    """
    options = job_options(typed, TRAIN)
    require_address(options.get("scheduler"), options.get("tls"))
    job = train_job({**options, "params": with_progress(options["params"])})
    from gbdist.jobs import train as jobs  # numba and dask load only when needed

    if typed["dry_run"]:
        say_plan(job)
        return
    from gbdist_cli.live import reporter_for

    with reporter_for(out.screen, str(job.output)) as reporter:
        result = jobs.train(job, say=out.note, reporter=reporter)
    out.result("model saved", asdict(result))
    if job.params.get("embedding_features"):  # which gbdist predict does not read
        estimator = {"regression": "DaskCatBoostRegressor", "ranking": "DaskCatBoostRanker"}.get(
            result.task, "DaskCatBoostClassifier"
        )
        out.hint(f'in Python: gbdist.{estimator}().load_model("{result.model}").predict(X)')
    else:
        out.hint(f"gbdist predict {result.model} NEW_DATA -o predictions.parquet")


def say_plan(job: Any) -> None:
    """Print where rows would go."""
    from gbdist.jobs.plan import plan_training

    plan = plan_training(job, say=out.note)
    categorical = f" ({len(plan.categorical)} categorical)" if plan.categorical else ""
    title = f"{plan.task}: {plan.rows:,} rows x {plan.features} features{categorical} in {plan.partitions} partition(s)"
    out.result(title, asdict(plan), table_of(title, [asdict(row) for row in plan.placement]))
    out.hint("leave out --dry-run to train")
