"""The page itself: facts and sections in one HTML file that loads nothing from anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bokeh.core.templates import MACROS
from bokeh.embed import file_html
from bokeh.resources import INLINE
from jinja2 import Environment, FileSystemLoader

from gbdist.report.curves import curves_section
from gbdist.report.facts import facts_of
from gbdist.report.importances import importances_section
from gbdist.report.shap import shap_section
from gbdist.report.style import Section
from gbdist.report.subject import Subject
from gbdist.report.tree_drawing import trees_section
from gbdist.report.trust import trust_section


@dataclass(frozen=True, eq=False)
class Head:
    """What stands on top of a page: what it is about, what kind of page it is, and a table of facts under its own title."""

    name: str
    kind: str
    title: str
    facts: Sequence[tuple[str, str]]


def report_page(subject: Subject, sections: Sequence[Section]) -> str:
    """The page about a model as HTML; ``sections`` are those of ``sections_of``, whose charts go into one page alone."""
    return rendered(Head(subject.name, "Model report", "The model", facts_of(subject)), sections)


def rendered(head: Head, sections: Sequence[Section], script: str = "") -> str:
    """A page as HTML. ``script`` is JavaScript that runs once all charts are there."""
    charts = [chart for section in sections for chart in section.charts]
    for chart in charts:
        chart.model.name = chart.name
    template = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True).get_template("page.html")
    title = f"{head.kind}: {head.name}"
    values = {"head": head, "sections": sections, "script": script}
    if not charts:  # which Bokeh makes no page of
        return template.render(**values, title=title, bokeh_css="", bokeh_js="", plot_script="", macros=MACROS)
    html: str = file_html(
        [chart.model for chart in charts], INLINE, title, template=template, template_variables=values
    )
    return html


def sections_of(subject: Subject) -> list[Section]:
    """All sections, in order. What cannot be drawn is said in words, with what would bring it."""
    return [
        curves_section(subject),
        importances_section(subject),
        shap_section(subject),
        trust_section(subject),
        trees_section(subject),
    ]
