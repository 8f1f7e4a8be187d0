"""Cox: proportional hazards, of times after which something happens (labels above 0) or nothing is known any more (below)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from gbdist.objectives.base import LARGEST_PREDICTION, Exponent, no_start_value


@dataclass(frozen=True, slots=True)
class Cox:
    """Minus the logarithm of Cox's partial likelihood (CatBoost's TCoxError): Σ over events of log S − a.

    S is the sum of e^a over the rows at risk: the event's own and all that come later in the order of |label|, those of equal
    times in the order of the rows. A row's derivatives depend on all rows, so that they are no kernel's (``boosting.risk``), and
    their largest is measured. The label is the time, less than 0 where nothing happened then.
    """

    name: ClassVar[str] = "Cox"
    dimension: ClassVar[int] = 1
    second_order: ClassVar[str] = "diagonal"
    curvature_change: ClassVar[float] = math.inf
    largest_prediction: ClassVar[float] = LARGEST_PREDICTION
    exponent: ClassVar[Exponent | None] = None

    def start_value(self, weighted_label_mean: float) -> float:
        """Refuse: CatBoost has no ``boost_from_average`` for this loss."""
        raise no_start_value(self.name)
