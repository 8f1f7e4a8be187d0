"""A page about a search for parameters: its trials, what mattered, what was best. Pure: plain values → HTML."""

from gbdist.report.study.facts import Dimension, StudyFacts, TrialFacts
from gbdist.report.study.page import study_page
from gbdist.report.study.reading import facts_of

__all__ = ["Dimension", "StudyFacts", "TrialFacts", "facts_of", "study_page"]
