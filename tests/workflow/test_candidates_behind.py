"""Candidates that a study keeps for training lists, but does not rerank, stay in its runs behind those that it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import snakemake
from small_study import write_study
from support import tiny_config, write_checkpoint

from headrank.data.trec import read_run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("shards", [1, 2])
def test_runs_hold_every_candidate(tmp_path: Path, shards: int) -> None:
    model = write_checkpoint(tmp_path / "model", tiny_config("qwen3"))
    path = write_study(
        tmp_path,
        {"source": "local", "path": str(model)},
        collections={"t": {"source": "local", "path": "t", "run": "run.trec"}},
        panel=["t"],
        methods=["icr"],
        headrank={"candidates": {"depth": 2}, "lists": {"size": 2, "pool": 3}},
        shards=shards,
    )
    target = "results/fetched/runs/b/t/icr.trec"
    arguments = ("--cores", "1", target, "--configfile", path)
    done = snakemake(*arguments, directory=tmp_path, HEADRANK_DATA=str(tmp_path / "data"))
    assert done.code == 0, done.err[-3000:]
    for ranked in read_run(tmp_path / target).values():
        docids = [docid for docid, _ in ranked]
        assert sorted(docids[:2]) == ["d0", "d1"]
        assert docids[2:] == ["d2"]
