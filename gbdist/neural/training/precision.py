"""Loss scaling: half precision has few exponents, so losses are multiplied by a number that gradients are divided by again.

The dynamic rule of Micikevicius et al., "Mixed Precision Training", 2018, section 3.2, as it became usual: halve the number and
leave a step out where a gradient is not finite, double it after so many good steps. Decided on summed gradients, so on all
ranks alike; the numbers are powers of two, so that nothing is rounded.
"""

from dataclasses import dataclass, replace

from gbdist.errors import ParameterError

FIRST_SCALE, SMALLEST_SCALE, LARGEST_SCALE = 2.0**10, 2.0**-14, 2.0**24
#: Good steps in a row after which the scale is doubled.
PATIENCE = 500


@dataclass(frozen=True, slots=True)
class LossScale:
    """What losses are multiplied by, and how the run came there.

    Parameters
    ----------
    value : float
        A power of two; 1 where ``dynamic`` is False.
    good : int
        Good steps since it last changed.
    skipped : int
        Steps left out so far.
    """

    value: float
    dynamic: bool
    good: int = 0
    skipped: int = 0

    def after(self, *, finite: bool) -> "LossScale":
        """The scale for the next step. ParameterError where no scale makes gradients finite."""
        if not self.dynamic:
            return self
        if finite:
            good = self.good + 1
            if good < PATIENCE or self.value >= LARGEST_SCALE:
                return replace(self, good=good)
            return replace(self, value=self.value * 2.0, good=0)
        if self.value <= SMALLEST_SCALE:
            expected = f"gradients that are finite at some scale of the loss; they are not at {self.value:g}"
            raise ParameterError(
                "precision", "fp16", expected, "Use precision='bf16' or 'float32', or lower learning_rate_init."
            )
        return replace(self, value=self.value * 0.5, good=0, skipped=self.skipped + 1)


def loss_scale(precision: str, value: float = FIRST_SCALE, good: int = 0, skipped: int = 0) -> LossScale:
    """The scale of a run: "fp16" alone has too few exponents to do without one."""
    if precision != "fp16":
        return LossScale(1.0, dynamic=False)
    return LossScale(value, dynamic=True, good=good, skipped=skipped)
