"""The paper's figures: each a function of one tidy frame, each written as PDF and PNG."""

from headrank.figures.depth import depth_figure
from headrank.figures.heads import heads_figure
from headrank.figures.homogenisation import homogenisation_figure
from headrank.figures.queries import queries_figure
from headrank.figures.selectivity import selectivity_figure
from headrank.figures.style import save_figure
from headrank.figures.training import training_figure

__all__ = [
    "depth_figure",
    "heads_figure",
    "homogenisation_figure",
    "queries_figure",
    "save_figure",
    "selectivity_figure",
    "training_figure",
]
