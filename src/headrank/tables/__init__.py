"""The paper's tables: each a function of tidy frames, each written as CSV, LaTeX and Markdown."""

from headrank.tables.ablation import ablation_table
from headrank.tables.claims import claims_table
from headrank.tables.controls import controls_table
from headrank.tables.cost import cost_table
from headrank.tables.first_stage import first_stage_table
from headrank.tables.frontier import frontier_table
from headrank.tables.fused import fused_table
from headrank.tables.growth import growth_table
from headrank.tables.homogenisation import homogenisation_table
from headrank.tables.main import main_table
from headrank.tables.rivals import rivals_table
from headrank.tables.seeds import seeds_table
from headrank.tables.selectivity import selectivity_table
from headrank.tables.speed import speed_table
from headrank.tables.success import format_table
from headrank.tables.table import Cell, Column, Table
from headrank.tables.timing import read_benchmarks, timing_table
from headrank.tables.transfer import transfer_table
from headrank.tables.write import write_table

__all__ = [
    "Cell",
    "Column",
    "Table",
    "ablation_table",
    "claims_table",
    "controls_table",
    "cost_table",
    "first_stage_table",
    "format_table",
    "frontier_table",
    "fused_table",
    "growth_table",
    "homogenisation_table",
    "main_table",
    "read_benchmarks",
    "rivals_table",
    "seeds_table",
    "selectivity_table",
    "speed_table",
    "timing_table",
    "transfer_table",
    "write_table",
]
