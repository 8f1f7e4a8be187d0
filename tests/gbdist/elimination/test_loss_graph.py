"""Estimated losses meet those that are measured."""

from gbdist.elimination.loss_graph import LossGraph


def test_estimates_are_stretched_to_the_next_measured_loss() -> None:
    graph = LossGraph()
    graph.measure(0, 1.0)
    graph.estimate(1, 1.5)
    graph.estimate(2, 2.0)
    graph.measure(2, 4.0)
    graph.estimate(3, 4.5)
    assert graph.told() == {
        "removed_features_count": [0, 1, 2, 3],
        "loss_values": [1.0, 2.5, 4.0, 4.5],
        "main_indices": [0, 2],
    }


def test_a_change_that_was_not_estimated_is_shared_by_the_columns() -> None:
    graph = LossGraph()
    graph.measure(0, 1.0)
    for removed in (1, 2, 3, 4):
        graph.estimate(removed, 1.0)
    graph.measure(4, 2.0)
    assert graph.told()["loss_values"] == [1.0, 1.25, 1.5, 1.75, 2.0]


def test_steps_without_estimates_are_points_of_their_own() -> None:
    graph = LossGraph()
    graph.measure(0, 1.0)
    graph.measure(3, 0.5)
    assert graph.told() == {"removed_features_count": [0, 3], "loss_values": [1.0, 0.5], "main_indices": [0, 1]}


def test_a_loss_that_is_measured_twice_is_the_last_one() -> None:
    graph = LossGraph()
    graph.measure(2, 1.0)
    graph.measure(2, 0.5)
    assert graph.told()["loss_values"] == [0.5]
