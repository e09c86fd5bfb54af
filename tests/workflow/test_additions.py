"""What CONTRIBUTING.md promises: a method, a metric and a figure are one file each, a trained method one entry."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import REPOSITORY, snakemake
from documents import python_blocks
from ggufs import float_checkpoint
from small_study import write_study

pytestmark = pytest.mark.slow

FILES = {
    # As docs/own-method.md shows it.
    "methods/entries/last_heads.py": next(
        block.text for block in python_blocks() if block.where.startswith("docs/own-method.md")
    ),
    "evaluation/metrics/found.py": '''
"""Made up: whether anything relevant is among the first K."""

from headrank.evaluation.metric import Kind


def value(ranking):
    return float(any(ranking.grades.get(d, 0) >= ranking.level for d in ranking.docids[: ranking.shown]))


METRIC = Kind("found", cutoff="required", value=value)
''',
    "figures/winners.py": '''
"""Made up: the mean of each method as a bar."""

from matplotlib.figure import Figure

CAPTION = "Means."
FRAMES = {"metrics": "main"}
OPTIONS = {"metric": "metric"}


def winners_figure(metrics, *, metric):
    figure = Figure()
    metrics.groupby("method")["value"].mean().plot.barh(ax=figure.subplots(), title=metric)
    return figure
''',
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the library with the new files in it; nothing else is changed."""
    folder = tmp_path_factory.mktemp("library")
    shutil.copytree(REPOSITORY / "src" / "headrank", folder / "headrank")
    assert "PLACE" in FILES["methods/entries/last_heads.py"]
    for name, text in FILES.items():
        assert not (folder / "headrank" / name).exists()
        (folder / "headrank" / name).write_text(text, encoding="utf-8")
    return folder


def test_additions_of_one_file_or_entry_run_in_a_study(library: Path, tmp_path: Path) -> None:
    checkpoint = float_checkpoint(tmp_path / "model", "qwen2")
    study = write_study(
        tmp_path,
        {"source": "local", "path": str(checkpoint)},
        methods=["last-heads", "headrank-untrained"],
        trained_baselines={"last-trained": {"heads": "last-heads", "training": {"epochs": 1}}},
        evaluation={
            "baseline": "last-heads",
            "metrics": ["found@1", {"name": "found@2", "relevance_level": 2}],
        },
    )
    results = Path("results/fetched")
    wanted = [results / "tables/main.csv", results / "figures/winners.png"]
    done = snakemake(
        *wanted,
        *("--cores", "1", "--configfile", study),
        directory=tmp_path,
        HEADRANK_DATA=str(tmp_path / "data"),
        PYTHONPATH=str(library),
    )
    assert done.code == 0, done.err[-3000:]
    table = (tmp_path / results / "tables/main.md").read_text(encoding="utf-8")
    assert "| Last heads |" in table
    assert "| last trained |" in table
    values = pd.read_parquet(tmp_path / results / "metrics/main.parquet")
    assert {*values["metric"]} == {"found@1", "found(rel=2)@2"}
    assert (tmp_path / results / "figures/winners.png").stat().st_size > 1000


def test_a_new_method_reruns_nothing_of_the_others(library: Path, tmp_path: Path) -> None:
    """Only what shows titles is made again."""
    checkpoint = float_checkpoint(tmp_path / "model", "qwen2")
    study = write_study(tmp_path, {"source": "local", "path": str(checkpoint)})
    given = ("--cores", "1", "--configfile", study)
    places = {"directory": tmp_path, "HEADRANK_DATA": str(tmp_path / "data")}
    ranking = "results/fetched/runs/b/c/headrank-untrained.parquet"
    assert snakemake(ranking, *given, **places).code == 0
    (tmp_path / "results/fetched/tables").mkdir(exist_ok=True)
    again = snakemake(ranking, *given, "-n", **places, PYTHONPATH=str(library))
    assert "Nothing to be done" in again.out, again.out[-3000:]
