"""The loss after each column that was eliminated: as estimated without training, then as measured by the next training."""

_NO_CHANGE = 1e-9


class LossGraph:
    """CatBoost's loss graph (recursive_features_elimination.cpp, TFeaturesSelectionLossGraphBuilder).

    Estimates since the last measured loss are stretched so that the last one meets the next that is measured.
    """

    def __init__(self) -> None:
        self._removed: list[int] = []
        self._losses: list[float] = []
        self._measured: list[int] = []

    def estimate(self, removed: int, loss: float) -> None:
        """The loss without the first ``removed`` columns that were eliminated, as estimated."""
        self._removed.append(removed)
        self._losses.append(loss)

    def measure(self, removed: int, loss: float) -> None:
        """The same, of a model that was trained without them."""
        if self._removed and self._removed[-1] == removed:
            self._adapt(loss)
        else:
            self.estimate(removed, loss)
        self._measured.append(len(self._losses) - 1)

    def told(self) -> dict[str, list[int] | list[float]]:
        """As CatBoost's summary has it: how many columns were removed, the losses, and the positions of those measured."""
        return {
            "removed_features_count": list(self._removed),
            "loss_values": list(self._losses),
            "main_indices": list(self._measured),
        }

    def _adapt(self, loss: float) -> None:
        first = self._measured[-1]
        before, estimated = self._losses[first], self._losses[-1]
        last = len(self._losses) - 1
        if first == last:  # measured again
            self._losses[last] = loss
            return
        if abs(estimated - before) > _NO_CHANGE:
            factor = (loss - before) / (estimated - before)
            for at in range(first + 1, last + 1):
                self._losses[at] = before + (self._losses[at] - before) * factor
        else:
            for at in range(first + 1, last + 1):
                self._losses[at] = self._losses[at - 1] + (loss - before) / (last - first)
