"""The one error of this package."""


class PredictorError(ValueError):
    """A file is no predictor, or rows are not what a predictor takes.

    The text names the thing, what was expected, and what to do.
    """
