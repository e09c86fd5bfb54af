"""A dense first stage through the workflow: a tiny encoder, one index for two collections, candidates in the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from conftest import snakemake
from encoders import write_encoder
from support import checkpoint

from headrank.data.trec import read_run
from headrank.retrieval.dense import Encoder, EncoderSettings

pytestmark = pytest.mark.slow


def test_candidates_come_from_the_encoder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    texts = {f"d{i}": f"passage about thing {i} and {i % 3}" for i in range(12)}
    for name in ("t", "c"):
        (data / name).mkdir(parents=True)
        (data / name / "corpus.jsonl").write_text(
            "".join(json.dumps({"_id": docid, "text": text}) + "\n" for docid, text in texts.items())
        )
        queries = [{"_id": f"q{i}", "text": f"{name} thing {i}"} for i in (1, 2)]
        (data / name / "queries.jsonl").write_text("".join(f"{json.dumps(q)}\n" for q in queries))
        (data / name / "qrels.trec").write_text("q1 0 d1 1\nq2 0 d2 1\n")
    write_encoder(data / "encoder")
    (data / "model").symlink_to(checkpoint("qwen3"))
    study = {
        "name": "dense",
        "device": "cpu",
        "dtype": "float32",
        "threads": 1,
        "collections": {
            "t": {"source": "local", "path": "t"},
            "c": {"source": "local", "path": "c", "drop_same_id": True},
            "again": {"source": "local", "path": "c", "corpus": "c"},
        },
        "train_on": ["t"],
        "panel": ["c", "again"],
        "methods": ["headrank-untrained"],
        "evaluation": {"baseline": "bm25"},
        "encoders": {"tiny": {"source": "local", "path": "encoder"}},
        "first_stage": {"method": "dense", "encoder": "tiny", "max_tokens": 64, "batch": 5},
        "backbones": {"b": {"source": "local", "path": "model"}},
        "headrank": {"candidates": {"depth": 4}},
    }
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    targets = [f"results/dense/collections/{name}/passages.jsonl" for name in ("c", "again")]
    done = snakemake(
        "--cores", "1", *targets, "--configfile", path, directory=tmp_path, HEADRANK_DATA=str(data)
    )
    assert done.code == 0, done.err[-3000:]
    assert done.jobs["embed"] == 1
    assert done.jobs["retrieve_dense"] == 2

    encoder = Encoder(data / "encoder", EncoderSettings(max_tokens=64), "cpu")
    vectors = encoder.encode(list(texts.values()))
    for name in ("c", "again"):
        run = read_run(tmp_path / "results" / "dense" / "collections" / name / "candidates.trec")
        for qid in ("q1", "q2"):
            scores = vectors @ encoder.encode([f"c thing {qid[1]}"])[0]
            best = sorted(range(12), key=lambda i: -scores[i])[:4]
            assert {docid for docid, _ in run[qid]} == {f"d{i}" for i in best}
            assert [score for _, score in run[qid]] == sorted((s for _, s in run[qid]), reverse=True)
