"""What ``gbdist train --dry-run`` says: where rows would go, and the memory that each worker would need."""

from collections.abc import Callable
from dataclasses import dataclass

from gbdist.estimators.parameters.check import check_parameters, checked_bins_on_disk
from gbdist.estimators.plan import plan
from gbdist.jobs.cluster import workers_for
from gbdist.jobs.targets import Task, choose_task, count_classes, values_a_row
from gbdist.jobs.train import TrainJob, prepare


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One worker. Megabytes are of 2²⁰ bytes: quantized rows, what training needs beside them, memory in all, and the limit.

    ``on_disk`` says whether bins would lie on the worker's disk, and so not count in ``needed_mb``.
    """

    worker: str
    rows: int
    partitions: int
    data_mb: float
    training_mb: float
    needed_mb: float
    limit_mb: float | None
    on_disk: bool
    fits: bool


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """What a training job would do. ``categorical`` are the columns that it would take as categories."""

    task: Task
    rows: int
    features: int
    categorical: tuple[str, ...]
    partitions: int
    placement: tuple[PlanRow, ...]


def plan_training(job: TrainJob, say: Callable[[str], None] = lambda _: None) -> TrainPlan:
    """Check the job and place its rows, as ``train`` would; trains nothing and writes nothing.

    ``say`` is called with a line that names categorical columns. Raises what ``train`` raises.
    """
    prepared = prepare(job)
    prepared.tell(say)
    table = prepared.table
    with workers_for(job.scheduler, job.workers, job.threads, job.tls) as client:
        target = job.targets[0]
        task = choose_task(job.task, prepared.params, table, target, client, grouped=job.group is not None)
        kind = {"classifier": task in ("binary", "multiclass", "multilabel"), "ranker": task == "ranking"}
        values = values_a_row(job.targets, prepared.params)
        found = plan(
            table,
            job.label,
            parameters=check_parameters(prepared.params, **kind)[1],
            sample_weight=job.weight,
            group_id=job.group,
            classes=count_classes(table, target, client) if task == "multiclass" else values,
            on_disk=checked_bins_on_disk(prepared.params.get("bins_on_disk")),
            client=client,
        )
    rows = [
        PlanRow(
            worker=worker.address,
            rows=worker.rows,
            partitions=worker.partitions,
            data_mb=_megabytes(worker.shard_bytes),
            training_mb=_megabytes(worker.training_bytes),
            needed_mb=_megabytes(worker.needed_bytes),
            limit_mb=_megabytes(worker.need.limit) if worker.need.limit else None,
            on_disk=worker.on_disk,
            fits=worker.fits,
        )
        for worker in found.workers
    ]
    return TrainPlan(task, found.rows, found.features, prepared.kinds.categorical, found.partitions, tuple(rows))


def _megabytes(n_bytes: int) -> float:
    return round(n_bytes / 2**20, 1)
