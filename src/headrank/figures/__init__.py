"""The paper's figures: each a function of tidy frames, each written as PDF and PNG."""

from headrank.figures.controls import controls_figure
from headrank.figures.depth import depth_figure
from headrank.figures.frontier import frontier_figure
from headrank.figures.growth import growth_figure
from headrank.figures.head_maps import head_maps_figure
from headrank.figures.heads import heads_figure
from headrank.figures.homogenisation import homogenisation_figure
from headrank.figures.overlap import overlap_figure
from headrank.figures.queries import queries_figure
from headrank.figures.routes import routes_figure
from headrank.figures.selectivity import selectivity_figure
from headrank.figures.speed import speed_figure
from headrank.figures.style import save_figure
from headrank.figures.success import success_figure
from headrank.figures.training import training_figure

__all__ = [
    "controls_figure",
    "depth_figure",
    "frontier_figure",
    "growth_figure",
    "head_maps_figure",
    "heads_figure",
    "homogenisation_figure",
    "overlap_figure",
    "queries_figure",
    "routes_figure",
    "save_figure",
    "selectivity_figure",
    "speed_figure",
    "success_figure",
    "training_figure",
]
