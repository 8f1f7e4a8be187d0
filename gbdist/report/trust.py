"""How far predictions can be trusted: the section that fits what the model predicts."""

from gbdist.report.calibration import calibration_charts, coverage_charts
from gbdist.report.residuals import residual_charts, residuals
from gbdist.report.style import Section
from gbdist.report.subject import Rows, Subject, quantile_level

_CALIBRATION = (
    "Rows are sorted into ten groups of equal size by the probability that the model gave them. A dot on the dashed line means "
    "that what was said to happen in, say, 30 % of the rows did happen in 30 % of them; below the line the model promises too "
    "much. Beside it is how often which probability was given."
)
_COVERAGE = (
    "For each quantile that the model predicts: the share of rows whose label is not above it. Dots on the dashed line keep what "
    "the quantile promises."
)
_RESIDUALS = (
    "A residual is the label less the prediction. Dots should lie around the line at 0 wherever one looks from left to right: "
    "the median of rows with about the same prediction is drawn through them, and half of the rows lie in the band. The "
    "histogram should be narrow and have its middle at 0."
)
_RESIDUALS_OF_QUANTILE = (
    "A residual is the label less the prediction, which is the quantile {level:g} here and not the middle: wherever one looks "
    "from left to right, that share of the dots should lie at or below the line at 0. The median of rows with about the same "
    "prediction is drawn through them, and half of the rows lie in the band."
)
_TITLES = {"classes": ("Calibration", _CALIBRATION), "probabilities": ("Calibration", _CALIBRATION)}
_SHOWS = {
    "Calibration": "whether probabilities keep what they promise",
    "Coverage of quantiles": "whether quantiles keep what they promise",
    "Residuals": "where predictions miss, and by how much",
}
_CANNOT = {
    "probabilities": "The labels of CrossEntropy are probabilities themselves, which groups of rows that did or did not happen "
    "cannot be made of.",
    "ranking": "A ranker's values say which rows come first, and have no unit, so that there are no residuals.",
    "other": "Several targets, a target and its uncertainty, times (Cox, SurvivalAft), and losses that this page does not know "
    "have no residuals here.",
}


def trust_section(subject: Subject) -> Section:
    """Calibration of classes, residuals of numbers, coverage of quantiles; in words where there is nothing to draw."""
    title, reading = {"quantiles": ("Coverage of quantiles", _COVERAGE), **_TITLES}.get(
        subject.task, ("Residuals", _RESIDUALS)
    )
    level = quantile_level(subject.model)
    if level not in (None, 0.5):
        reading = _RESIDUALS_OF_QUANTILE.format(level=level)
    if subject.task in _CANNOT:
        return Section(title, "", notes=(_CANNOT[subject.task],))
    rows = subject.rows
    if rows is None or rows.label is None:
        return Section(
            title, reading, notes=(f"With rows that have labels this shows {_SHOWS[title]}. {subject.remedy}",)
        )
    draw = {"classes": calibration_charts, "quantiles": coverage_charts}.get(subject.task, residual_charts)
    charts, notes = draw(subject, rows)
    kept = () if level is None else (_kept(subject, rows, level),)
    return Section(title, reading, charts, (f"These are {rows.origin}.", *kept, *notes))


def _kept(subject: Subject, rows: Rows, level: float) -> str:
    """Which share of labels the predicted quantile is not below, in words."""
    share = (residuals(rows, subject.predicted(rows)[:, 0]) <= 0).mean()
    return f"{100 * share:.1f} % of the labels are not above the prediction; the quantile asked for is {level:g}."
