"""How much each parameter mattered."""

import numpy as np

from gbdist.report.importances import MOST_FEATURES, bars
from gbdist.report.study.facts import StudyFacts
from gbdist.report.style import PALETTE, Chart, Section

_TITLE = "Importances of parameters"
_READING = (
    "How differently the best tenth of the complete trials and all of them spread over a parameter's values (PED-ANOVA, arXiv "
    "2304.10255), as shares of 1. A large share means that good trials need certain values of it."
)
#: Complete trials below which the best tenth is a handful.
_FEW = 50


def importance_section(facts: StudyFacts) -> Section:
    """The section; in words where importances cannot be told."""
    if isinstance(facts.importances, str):
        return Section(_TITLE, _READING, notes=(facts.importances,))
    names = tuple(facts.importances)
    shares = np.array(list(facts.importances.values()), dtype=np.float64)
    notes = []
    if facts.count("complete") < _FEW:
        notes.append(
            f"They come from {facts.count('complete')} complete trials; with fewer than {_FEW} they are a rough guess."
        )
    if len(names) > MOST_FEATURES:
        notes.append(f"The {MOST_FEATURES} most important of {len(names)} parameters are shown.")
    plot = bars(shares, names, "share of the importance", PALETTE[0])
    return Section(_TITLE, _READING, (Chart("importances", "Parameters", plot),), tuple(notes))
