"""What a compression did: the model before and after, everything that was tried, and why one was chosen."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from gbdist.compression.figures import Measured, ModelFigures

#: What figures are called in tables, those that count something.
_COUNTS: Final = {
    "trees": "trees",
    "leaves": "leaves",
    "features": "columns in use",
    "borders": "distinct tests",
    "tables": "categories in tables",
}
#: Version of what ``to_dict`` returns; it goes up when a key changes its meaning or goes away.
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Tried:
    """A model that was tried.

    Parameters
    ----------
    family : str
        What kind of pipeline made it, such as "distil".
    pipeline : str
        The passes with their parameters.
    loss : float
        On the rows that models are chosen by.
    standard_error : float
        Of how much more that is than the given model loses on them; 0 where rows are too few to tell (fewer than 320).
    keeps : bool
        Whether it keeps the target's bound.
    """

    family: str
    pipeline: str
    figures: ModelFigures
    loss: float
    standard_error: float
    keeps: bool
    seconds: float

    @property
    def sure_loss(self) -> float:
        """The loss and its standard error: what models are chosen by, and what a bound on the loss is kept by."""
        return self.loss + self.standard_error


@dataclass(frozen=True, eq=False)
class CompressionReport:
    """What ``gbdist.compress`` did.

    Parameters
    ----------
    name : str
        What the model is called.
    target : str
        As it was asked for.
    metric : str
        The model's loss, which all losses here are; less is better, for which that of Cox is "minus Cox".
    before, after : Measured
        The model that was given and the one that came out; losses on the holdout, that no pass and no choice saw.
    tried : tuple of Tried
        The first is the model as it was given, then in the order in which they were tried; ``chosen`` is the place of the one
        that came out.
    reason : str
        Why it was chosen, in a sentence.
    skipped : mapping of str to str
        Kinds of pipelines that were not tried, and why: they do not apply to the model, or are not needed.
    rows : mapping of str to int
        How many rows each part had: ``passes``, ``choice``, ``holdout``.
    seconds : float
        What all of it took.
    """

    name: str
    target: str
    metric: str
    before: Measured
    after: Measured
    tried: tuple[Tried, ...]
    chosen: int
    reason: str
    skipped: Mapping[str, str]
    rows: Mapping[str, int]
    seconds: float

    @property
    def lines(self) -> tuple[tuple[str, str, str, str], ...]:
        """The table of before and after: what, before, after, and the change in words."""
        return tuple(_lines(self.before, self.after, self.metric))

    def to_dict(self) -> dict[str, Any]:
        """Everything, of plain values that JSON has."""
        told = asdict(self)
        return {"format": FORMAT, **told, "tried": list(told["tried"])}

    def to_json(self) -> str:
        """``to_dict`` as text."""
        return json.dumps(self.to_dict(), indent=1)

    def plot(self, path: Any = None) -> Path | None:
        """Write a page that opens in any browser: what was gained and lost, and the curve of size against quality.

        Parameters
        ----------
        path : path, or text file open for writing; left out: ``compression.html`` in the current folder

        Returns
        -------
        Where the page is; None for an open file.

        Raises
        ------
        ParameterError
            No file can be made there.
        """
        from gbdist.estimators.plotting import plot_at

        return plot_at("path", path, "compression.html").write(self.page())

    def page(self) -> str:
        """The page as HTML, one file that loads nothing from anywhere."""
        from gbdist.report.compression import CompressionFacts, Point, compression_page  # loads Bokeh

        points = tuple(
            Point(one.family, one.pipeline, one.figures.size, one.figures.cost, one.loss, keeps=one.keeps)
            for one in self.tried
        )
        return compression_page(
            CompressionFacts(
                name=self.name,
                metric=self.metric,
                lines=self.lines,
                points=points,
                chosen=self.chosen,
                details=(
                    ("Target", self.target),
                    ("Chosen", self.tried[self.chosen].pipeline),
                    ("Why", self.reason),
                    ("Rows", _rows(self.rows)),
                    ("Seconds", f"{self.seconds:,.1f}"),
                    *((f"Not tried: {name}", why) for name, why in self.skipped.items()),
                ),
            )
        )

    def __str__(self) -> str:
        head = ("", "before", "after", "")
        widths = [max(len(row[k]) for row in (head, *self.lines)) for k in range(4)]
        drawn = [
            f"{what:<{widths[0]}}  {before:>{widths[1]}}  {after:>{widths[2]}}  {change}".rstrip()
            for what, before, after, change in (head, *self.lines)
        ]
        chosen = self.tried[self.chosen].pipeline
        notes = [f"chosen: {chosen}", f"why: {self.reason}", f"rows: {_rows(self.rows)}"]
        return "\n".join([f"{self.name}, for {self.target}", *drawn, *notes])

    def _repr_html_(self) -> str:
        cells = "".join(
            "<tr>"
            + "".join(f'<td style="text-align: {side}">{escape(text)}</td>' for side, text in _aligned(row))
            + "</tr>"
            for row in self.lines
        )
        head = "<tr><th></th><th>before</th><th>after</th><th></th></tr>"
        below = f"<p>{escape(self.tried[self.chosen].pipeline)}: {escape(self.reason)}. Rows: {escape(_rows(self.rows))}.</p>"
        return f"<p><b>{escape(self.name)}, for {escape(self.target)}</b></p><table>{head}{cells}</table>{below}"


def _aligned(row: tuple[str, str, str, str]) -> Iterator[tuple[str, str]]:
    yield "left", row[0]
    yield from (("right", text) for text in row[1:3])
    yield "left", row[3]


def _lines(before: Measured, after: Measured, metric: str) -> Iterator[tuple[str, str, str, str]]:
    one, two = before.figures, after.figures
    yield "size, bytes", f"{one.size:,}", f"{two.size:,}", share_words(one.size, two.size)
    for name, words in _COUNTS.items():
        old, new = getattr(one, name), getattr(two, name)
        yield words, f"{old:,}", f"{new:,}", share_words(old, new)
    yield "cost, units", f"{one.cost:,.0f}", f"{two.cost:,.0f}", share_words(one.cost, two.cost)
    if before.latency is not None and after.latency is not None:
        for name, words in (("single", "a row alone, µs"), ("batch", "a row of many, µs")):
            old, new = 1e6 * getattr(before.latency, name), 1e6 * getattr(after.latency, name)
            yield words, f"{old:.3g}", f"{new:.3g}", share_words(old, new)
    yield f"{metric} (holdout)", f"{before.loss:.6g}", f"{after.loss:.6g}", change_words(before.loss, after.loss)


def share_words(before: float, after: float) -> str:
    """The second as a share of the first; nothing where there was nothing."""
    return f"{after / before:.1%}" if before else ""


def change_words(before: float, after: float) -> str:
    """How much worse a loss became, as a share of it with its sign; nothing where that has no meaning."""
    return f"{(after - before) / abs(before):+.2%}" if before else ""


def _rows(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in rows.items())
