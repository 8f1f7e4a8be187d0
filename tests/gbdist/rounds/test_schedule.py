"""What ranks wait for changes when they train, and by laws that are written here, what they train."""

import threading
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from gbdist.boosting.collective import SingleRank
from gbdist.boosting.events import IterationDone
from gbdist.boosting.params import Stopping
from gbdist.errors import ModelError
from gbdist.rounds import training
from gbdist.rounds.loop import RankData, RoundsResult, run_rounds
from gbdist.rounds.spec import RoundsSpec

from .conftest import MakeSpec, MakeTable, Table

GROUPS = {"schedule": "groups", "group_size": 2, "group_rounds": 3}


def with_eval(make_table: MakeTable, **more: Any) -> tuple[Table, Table]:
    """A table, and its last third as rows to score."""
    table = make_table(**more)
    return table, replace(table, values=table.values[2_000:], rows=table.part(2_000, 3_000))


def same(first: RoundsResult, second: RoundsResult) -> bool:
    return (
        first.parts == second.parts
        and first.bias.tolist() == second.bias.tolist()
        and first.history == second.history
        and (first.best_iteration, first.best_value) == (second.best_iteration, second.best_value)
        and first.stopped == second.stopped
    )


def trainers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "gbdist-trainer"]


@pytest.mark.parametrize(
    ("merge", "n_ranks", "max_staleness"),
    [
        case if case in [("average", 3, 1), ("bagging", 3, 100)] else pytest.param(*case, marks=pytest.mark.soak)
        for case in product(["average", "bagging"], [1, 2, 3], [1, 100])
    ],
)
def test_training_ahead_gives_the_model_of_the_synchronous_schedule(
    make_table: MakeTable, make_spec: MakeSpec, merge: str, n_ranks: int, max_staleness: int
) -> None:
    table, held_out = with_eval(make_table, classes=2, weighted=True)
    spec = make_spec("Logloss", n_ranks, 2, merge=merge, rounds=7, options={"class_names": [0, 1]})
    (sync, *_) = table.train(spec, n_ranks, (held_out,))
    ahead = replace(spec, schedule="async", max_staleness=max_staleness)
    for result in table.train(ahead, n_ranks, (held_out,)):
        assert same(result, sync)
    assert trainers() == []


def test_rounds_trained_beyond_the_stop_are_thrown_away(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table(n_rows=600, classes=2)
    noise = np.random.default_rng(0).integers(0, 2, 600).astype(np.float32)
    held_out = replace(table, rows=replace(table.rows, label=noise))
    stopping = Stopping(kind="Iter", wait=2)
    spec = make_spec("Logloss", 2, 2, rounds=50, iterations=250, stopping=stopping, use_best_model=True)
    (sync, _), (ahead, _) = (
        table.train(one, 2, (held_out,)) for one in (spec, replace(spec, schedule="async", max_staleness=4))
    )
    assert ahead.stopped == "overfitting"
    assert same(ahead, sync)
    assert trainers() == []


def test_best_without_staleness_is_synchronous(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table, held_out = with_eval(make_table)
    spec = make_spec(n_ranks=3, merge="best")
    (sync, *_) = table.train(spec, 3, (held_out,))
    for result in table.train(replace(spec, schedule="async", max_staleness=0), 3, (held_out,)):
        assert same(result, sync)


def test_best_ahead_goes_on_from_merged_models(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table, held_out = with_eval(make_table)
    spec = make_spec(n_ranks=3, merge="best", schedule="async", max_staleness=2, rounds=8, iterations=40)
    first, *others = table.train(spec, 3, (held_out,))
    assert all(same(first, other) for other in others)
    losses = first.history["learn"]["RMSE"]
    assert losses[-1] < 0.7 * losses[0]
    raw = np.asarray(table.model(first).predict(table.values))
    assert np.sqrt(np.mean((raw - table.rows.label) ** 2)) == pytest.approx(losses[-1], rel=1e-9)


def test_baseline_and_training_ahead(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    known = replace(table, rows=replace(table.rows, baseline=0.5 * table.rows.label[None].astype(np.float64)))
    for merge in ("average", "bagging"):
        spec = make_spec(n_ranks=2, merge=merge)
        sync, ahead = (known.train(one, 2)[0] for one in (spec, replace(spec, schedule="async", max_staleness=2)))
        assert same(ahead, sync)


@pytest.mark.parametrize("schedule", ["sync", "async"])
def test_rank_whose_training_fails_ends_those_that_wait(
    make_table: MakeTable, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    spec = make_spec(n_ranks=3, rounds=6, schedule=schedule, max_staleness=2)
    real = training.grow_trees

    def fails(pool: Any, baseline: Any, options: Any, wanted: Any) -> Any:
        if options["random_seed"] == spec.seed_of(1, 2):
            raise ModelError("CatBoost did not train: injected", "Nothing.")
        return real(pool, baseline, options, wanted)

    monkeypatch.setattr(training, "grow_trees", fails)
    with pytest.raises(ModelError, match="injected"):
        make_table().train(spec, 3)
    assert trainers() == []


def test_merge_that_fails_ends_the_training_between_two_trees(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    second_round = threading.Event()
    asked: list[int] = []

    def wanted() -> bool:  # the first round has one tree, the second would have a million
        asked.append(1)
        if len(asked) > 2:
            second_round.set()
        return len(asked) > 1

    class Fails:
        def hear(self, event: object) -> bool:
            if isinstance(event, IterationDone):
                assert second_round.wait(20)
                raise OSError("injected")
            return False

    data = RankData(table.rows, (), table.borders, table.names)
    spec = make_spec(schedule="async", max_staleness=1, rounds=2, iterations=2_000_000)
    with pytest.raises(OSError, match="injected"):
        run_rounds(data, spec, SingleRank(), [Fails()], wanted)
    assert trainers() == []


@pytest.mark.parametrize("merge", ["average", "bagging", "best"])
def test_groups_of_one_rank_that_meet_every_round_are_synchronous(
    make_table: MakeTable, make_spec: MakeSpec, merge: str
) -> None:
    table, held_out = with_eval(make_table, weighted=True)
    spec = make_spec(n_ranks=3, merge=merge)
    sync, groups = (
        table.train(one, 3, (held_out,))[0]
        for one in (spec, replace(spec, schedule="groups", group_size=1, group_rounds=1))
    )
    assert same(sync, groups)


@pytest.mark.parametrize("merge", ["average", "bagging"])
def test_groups_of_one_rank_train_what_they_would_if_they_met_every_round(
    make_table: MakeTable, make_spec: MakeSpec, merge: str
) -> None:
    table, held_out = with_eval(make_table)
    spec = make_spec(n_ranks=2, merge=merge, rounds=5)
    groups = replace(spec, schedule="groups", group_size=1, group_rounds=2)
    sync, met = (table.train(one, 2, (held_out,))[0] for one in (spec, groups))
    assert met.parts == sync.parts
    assert met.history["validation"]["RMSE"] == [sync.history["validation"]["RMSE"][i] for i in (1, 3, 4)]


@pytest.mark.parametrize("group_size", [3, 50])
def test_one_group_that_chooses_the_best_is_synchronous(
    make_table: MakeTable, make_spec: MakeSpec, group_size: int
) -> None:
    table, held_out = with_eval(make_table)
    spec = make_spec(n_ranks=3, merge="best", rounds=5)
    groups = replace(spec, schedule="groups", group_size=group_size, group_rounds=2)
    sync, met = (table.train(one, 3, (held_out,))[0] for one in (spec, groups))
    assert met.parts == sync.parts
    assert met.history["validation"]["RMSE"] == [sync.history["validation"]["RMSE"][i] for i in (1, 3, 4)]


def test_one_group_that_averages_goes_on_from_the_mean(make_table: MakeTable, make_spec: MakeSpec) -> None:
    """With one group of all, the group's model is the merged one, so a round fits what is left of it."""
    table = make_table()
    spec = make_spec(n_ranks=2, merge="bagging", rounds=2, schedule="groups", group_size=2, group_rounds=2)
    result = table.train(spec, 2)[0]
    first = replace(table, rows=table.part(0, 1_500))
    mean = table.model(replace(result, parts=result.parts[:2])).predict(first.values[:1_500])
    trainer = training.Trainer(pool_of(first), first.rows, 3_000, spec, 0)
    trainer.go_on_from(np.asarray(mean)[None])
    assert trainer.grow(1, lambda: True).models == (result.parts[2][0],)


def pool_of(table: Table) -> Any:
    from gbdist.rounds.pools import make_pool

    return make_pool(table.rows, table.borders, table.names)


@pytest.mark.parametrize("merge", ["average", "bagging", "best"])
@pytest.mark.parametrize(("loss", "classes"), [("RMSE", 1), ("MultiClass", 3), ("MAE", 1)])
def test_groups_end_with_one_model_and_again(
    make_table: MakeTable, make_spec: MakeSpec, merge: str, loss: str, classes: int
) -> None:
    table, held_out = with_eval(make_table, classes=classes if classes > 1 else 0)
    options = {"class_names": list(range(classes))} if classes > 1 else {}
    spec = make_spec(loss, 3, classes, merge=merge, rounds=7, iterations=21, options=options, **GROUPS)
    first, *others = table.train(spec, 3, (held_out,))
    assert all(same(first, other) for other in [*others, *table.train(spec, 3, (held_out,))])
    assert len(first.history["learn"][loss]) == 3  # after rounds 3, 6 and 7
    assert first.history["learn"][loss][-1] < first.history["learn"][loss][0]
    assert len(first.parts) == (7 if merge == "best" else 21)
    if loss == "RMSE":
        raw = np.asarray(table.model(first).predict(held_out.values))
        rmse = np.sqrt(np.mean((raw - held_out.rows.label) ** 2))
        assert rmse == pytest.approx(first.history["validation"]["RMSE"][-1], rel=1e-9)


def test_group_without_rows_to_score_chooses_by_those_it_trains_on(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table()
    few = replace(table, rows=table.part(0, 1))  # the last rank's
    spec = make_spec(n_ranks=3, merge="best", **{**GROUPS, "group_size": 2})
    values = table.train(spec, 3, (few,))[0].history["validation"]["RMSE"]
    assert np.isfinite(values).all()


def heard_of(make_table: MakeTable, spec: RoundsSpec) -> list[IterationDone]:
    heard: list[IterationDone] = []

    class Listener:
        def hear(self, event: object) -> bool:
            heard.extend([event] if isinstance(event, IterationDone) else [])
            return False

    table = make_table()
    run_rounds(RankData(table.rows, (), table.borders, table.names), spec, SingleRank(), [Listener()])
    return heard


@pytest.mark.parametrize(
    ("more", "trees", "scored"),
    [
        ({"rounds": 4, "group_rounds": 3}, [14, 19], [True, True]),
        ({"rounds": 1, "group_rounds": 3}, [19], [True]),
        ({"rounds": 10, "group_rounds": 2, "metric_period": 5}, [3, 7, 11, 15, 19], [True, False, True, False, True]),
    ],
)
def test_groups_tell_of_every_meeting(
    make_table: MakeTable, make_spec: MakeSpec, more: dict[str, int], trees: list[int], scored: list[bool]
) -> None:
    heard = heard_of(make_table, make_spec(schedule="groups", group_size=2, **more))
    assert [event.iteration for event in heard] == trees
    assert [bool(event.metrics) for event in heard] == scored


def test_early_stopping_of_groups_cuts_after_the_best_meeting(make_table: MakeTable, make_spec: MakeSpec) -> None:
    table = make_table(n_rows=600, classes=2)
    noise = np.random.default_rng(0).integers(0, 2, 600).astype(np.float32)
    held_out = replace(table, rows=replace(table.rows, label=noise))
    stopping = Stopping(kind="Iter", wait=2)
    spec = make_spec("Logloss", 4, 2, rounds=60, iterations=120, stopping=stopping, use_best_model=True, **GROUPS)
    result = table.train(spec, 4, (held_out,))[0]
    values = result.history["validation"]["Logloss"]
    best = int(np.argmin(values))
    assert result.stopped == "overfitting"
    assert len(values) == best + 3
    assert result.best_iteration == (best + 1) * 6 - 1
    assert len(result.parts) == 4 * 3 * (best + 1)


def test_groups_wait_for_nobody_outside_between_meetings(
    make_table: MakeTable, make_spec: MakeSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(n_ranks=4, rounds=3, **GROUPS)
    first_group_done = threading.Barrier(3, timeout=20)  # its two ranks, in their last round, and one of the others
    real = training.grow_trees

    def slow(pool: Any, baseline: Any, options: Any, wanted: Any) -> Any:
        if options["random_seed"] in {spec.seed_of(0, 2), spec.seed_of(1, 2), spec.seed_of(3, 0)}:
            first_group_done.wait()
        return real(pool, baseline, options, wanted)

    monkeypatch.setattr(training, "grow_trees", slow)
    assert len(make_table().train(spec, 4)[0].parts) == 12


@pytest.mark.parametrize(
    ("size", "group_size", "groups"),
    [
        (5, 2, [[0, 1], [0, 1], [2, 3], [2, 3], [4]]),
        (3, 1, [[0], [1], [2]]),
        (3, 3, [[0, 1, 2]] * 3),
        (2, 9, [[0, 1]] * 2),
        (1, 2, [[0]]),
    ],
)
def test_groups_are_neighbours_and_the_last_may_be_smaller(
    make_spec: MakeSpec, size: int, group_size: int, groups: list[list[int]]
) -> None:
    spec = make_spec(group_size=group_size)
    assert [list(spec.group_of(rank, size)) for rank in range(size)] == groups
