"""A network that loses workers on the way is that of a run that does not, up to the last bits of its sums."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from gbdist import DaskMLPClassifier
from gbdist.estimators import run_gang
from gbdist_cluster import watch
from gbdist_cluster.launch.local import start_local
from gbdist_cluster.plugin import prepare

from .injection import inject
from .moments import OF_NETWORKS
from .plan import Fault, InjectedError
from .test_recovery import chain, soaked

EPOCHS = 6
FEATURES = [*"abcd", "shop"]
AHEAD = {"strategy": "async"}

KILLS: dict[str, Sequence[Fault]] = {
    "within an epoch": [
        Fault("kill", "sum_floats", rank=1, tree=1, nth=5),
        Fault("kill", "step", tree=3, nth=9),
    ],
    "before": [
        Fault("kill", "quantized"),
        Fault("kill", "network rows"),
        Fault("kill", "states agreed"),
    ],
    "between": [
        Fault("kill", "stepped", tree=1, nth=9),
        Fault("kill", "epoch over", tree=2),
        Fault("kill", "epoch kept", tree=3),
    ],
    "end": [Fault("kill", "leave", rank=0)],
    "after": [Fault("kill", "network put together", worker=0)],
}


#: Of ranks that run ahead, of which three become two, then one.
KILLS_AHEAD: dict[str, Sequence[Fault]] = {
    "server, then a worker of the next": [
        Fault("kill", "step ahead", rank=0, tree=1, nth=5),
        Fault("kill", "sum known", rank=1, tree=3, nth=9),
    ],
    "worker, then the server": [
        Fault("kill", "receive", rank=2, tree=1, nth=3),
        Fault("kill", "sum known", rank=0, tree=2, nth=20),
    ],
    "server twice": [
        Fault("kill", "send", rank=0, tree=2, nth=7),  # has told one rank of a sum, and not the other
        Fault("kill", "epoch over", rank=0, tree=3),
    ],
}


@dataclass(frozen=True)
class Trained:
    """A data set, and the parameters of the network that it gives."""

    table: pd.DataFrame
    flat: Any

    def frame(self) -> Any:
        """The table as a lazy collection, which is trained on by the cluster."""
        return dd.from_pandas(self.table, npartitions=4, sort=False)

    def require_same(self, client: Client, **more: Any) -> DaskMLPClassifier:
        """Train on the cluster; the network must be the same."""
        model = fit(client, self.frame(), **more)
        assert model.n_iter_ == EPOCHS
        np.testing.assert_allclose(model.model_.flat, self.flat, rtol=0, atol=1e-5)
        return model


def fit(client: Client | None, data: Any, how: dict[str, Any] | None = None, **more: Any) -> DaskMLPClassifier:
    settings = {"hidden_layer_sizes": (12, 12), "max_iter": EPOCHS, "batch_size": 100, "random_state": 2, **(how or {})}
    return DaskMLPClassifier(**settings, client=client).fit(data[FEATURES], data["y"], **more)


@pytest.fixture(scope="module")
def trained() -> Trained:
    rng = np.random.default_rng(12)
    values = rng.normal(size=(4_000, 4)).astype(np.float32)
    table = pd.DataFrame(values, columns=list("abcd")).assign(shop=[f"{n}" for n in rng.integers(0, 9, 4_000)])
    table["y"] = (values[:, 0] + values[:, 1] * values[:, 2] > 0).astype(np.int64)
    return Trained(table, fit(None, table).model_.flat)


Undisturbed = Callable[[Client], DaskMLPClassifier]


@pytest.fixture(scope="module")
def undisturbed(trained: Trained) -> Undisturbed:
    """What three ranks that run ahead train where nothing happens, from the first three that are given."""
    made: list[DaskMLPClassifier] = []

    def train(client: Client) -> DaskMLPClassifier:
        if not made:
            made.append(fit(client, trained.frame(), AHEAD))
        return made[0]

    return train


class Hears:
    """A callback that notes which epochs it is told of, and does something after one of them."""

    def __init__(self, after: int = 0, work: Callable[[], bool] = lambda: True) -> None:
        self.epochs: list[int] = []
        self._after, self._work = after, work

    def after_iteration(self, info: Any) -> bool:
        self.epochs.append(info.iteration)
        assert len(info.metrics["learn"]["loss"]) == info.iteration
        return self._work() if info.iteration == self._after else True


def test_a_networks_own_moments_are_among_those_that_kill() -> None:
    assert OF_NETWORKS.keys() <= {
        fault.moment for faults in [*KILLS.values(), *KILLS_AHEAD.values()] for fault in faults
    }


@pytest.mark.parametrize("when", [when if when == "within an epoch" else soaked(when) for when in KILLS])
def test_workers_killed_one_after_the_other(fragile: Client, trained: Trained, when: str) -> None:
    hears, plan = Hears(), chain(KILLS[when])
    with inject(fragile, *plan) as injected:
        trained.require_same(fragile, callbacks=[hears])
        assert [fault.moment for number, fault in enumerate(plan) if injected.fired(number) is None] == []
    assert hears.epochs == list(range(1, EPOCHS + 1))  # each once


@pytest.mark.parametrize("who", [who if who.startswith("server, then") else soaked(who) for who in KILLS_AHEAD])
def test_replicas_take_over_from_a_server_and_its_workers(
    three: Client, trained: Trained, undisturbed: Undisturbed, who: str
) -> None:
    require_as_good(three, trained, undisturbed, chain(KILLS_AHEAD[who]))


@pytest.mark.soak
@pytest.mark.parametrize(("what", "rank"), [("drop", 1), ("retire", 0), ("exit", 1), ("stop", 0), ("stop", 1)])
def test_ranks_ahead_that_leave_otherwise(
    three: Client, trained: Trained, undisturbed: Undisturbed, what: str, rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 1.0)  # the scheduler is in this process
    require_as_good(three, trained, undisturbed, [Fault(what, "step ahead", rank=rank, tree=2, nth=3)])


def require_as_good(client: Client, trained: Trained, without: Undisturbed, plan: Sequence[Fault]) -> None:
    """Train on ranks that run ahead, with faults and without: the networks must be worth the same."""
    undisturbed, hears = without(client), Hears()
    with inject(client, *plan) as injected:
        model = fit(client, trained.frame(), AHEAD, callbacks=[hears])
        assert [fault.moment for number, fault in enumerate(plan) if injected.fired(number) is None] == []
    assert hears.epochs == list(range(1, EPOCHS + 1))  # each once
    # Steps that are made sooner after a loss within an epoch make it another run, but each batch counts once.
    np.testing.assert_allclose(model.model_.flat, undisturbed.model_.flat, rtol=0, atol=0.1)
    np.testing.assert_allclose(model.loss_curve_, undisturbed.loss_curve_, rtol=0.05)


@pytest.mark.soak
def test_all_workers_killed_at_once(fragile: Client, trained: Trained) -> None:
    # Nobody is left who has a state but the client, if it has had the time to fetch one.
    with inject(fragile, *(Fault("kill", "epoch over", rank=rank, tree=4) for rank in (0, 1))):
        trained.require_same(fragile)


@pytest.mark.soak
@pytest.mark.parametrize("what", ["drop", "retire", "exit"])
def test_workers_that_leave_otherwise(fragile: Client, trained: Trained, what: str) -> None:
    with inject(fragile, Fault(what, "sum_floats", rank=1, tree=2)) as injected:
        trained.require_same(fragile)
        injected.wait()


@pytest.mark.soak
def test_worker_stopped_for_good_within_an_epoch(
    fragile: Client, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENCE_SECONDS", 1.0)  # the scheduler is in this process
    with inject(fragile, Fault("stop", "step", rank=1, tree=2)) as injected:
        trained.require_same(fragile)
        assert injected.wait().address not in fragile.scheduler_info(n_workers=-1)["workers"]


@pytest.mark.soak
def test_an_error_of_a_ranks_own_ends_the_run(fragile: Client, trained: Trained) -> None:
    with inject(fragile, Fault("raise", "step", rank=1, tree=1)), pytest.raises(InjectedError):
        fit(fragile, trained.frame())


@pytest.mark.soak
def test_a_run_stops_where_a_callback_wanted_although_its_answer_is_lost(fragile: Client, trained: Trained) -> None:
    hears = Hears(3, lambda: False)
    with inject(fragile, Fault("kill", "all_reduce", rank=0, tree=2, nth=1)) as injected:
        model = fit(fragile, trained.frame(), callbacks=[hears])
        injected.wait()
    assert (model.n_iter_, model.model_.record.stopped, hears.epochs) == (3, "callback", [1, 2, 3])


@pytest.mark.soak
def test_a_worker_that_comes_is_taken_in_where_it_pays(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, int]] = []
    regroup = run_gang.regroup

    def noted(*args: Any) -> Any:
        made = regroup(*args)
        rows.append(made[0].rows_by_worker)
        return made

    monkeypatch.setattr(run_gang, "regroup", noted)
    with start_local(workers=1, dashboard=False) as local:
        prepare(local.client)

        class Joins:
            def after_iteration(self, info: Any) -> bool:
                if info.iteration == 2:
                    local.client.cluster.scale(2)
                    local.client.wait_for_workers(2, timeout=60)
                return not rows  # as long as it is not taken in

        settings = {"hidden_layer_sizes": (64, 64), "batch_size": 20, "n_iter_no_change": np.inf, "max_iter": 100_000}
        frame = trained.frame()
        model = DaskMLPClassifier(**settings, early_stopping=False, client=local.client)
        model.fit(frame[FEATURES], frame["y"], callbacks=[Joins()])
    assert [sorted(each.values()) for each in rows] == [[2_000, 2_000]]
    assert model.model_.record.stopped == "callback"
