"""Compares two results folders: what differs in their origin, and what in their results."""

from headrank.provenance.comparison.folders import Comparison, compare_folders
from headrank.provenance.comparison.text import lines_of

__all__ = ["Comparison", "compare_folders", "lines_of"]
