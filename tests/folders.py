"""A small results folder as a finished study leaves it, for tests of what is recorded of it and compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import save_file

from headrank.data.trec import write_run
from headrank.heads.head_set import HeadSet
from headrank.provenance import NAME, record
from headrank.provenance.manifest import write_manifest

REPOSITORY = Path(__file__).resolve().parents[1]
QUERIES = ("q1", "q2", "q3")


def configuration(**changes: Any) -> dict[str, Any]:
    """The keys that provenance, sidecars and comparisons read, with one backbone and three collections."""
    return {
        "name": "study",
        "seed": 4,
        "collections": {
            "own": {"source": "local", "path": "/data/own", "run": "run.bm25.trec"},
            "made": {"source": "synthetic", "synthetic": {"kind": "in-domain", "seed": 12}, "run": None},
            "known": {"source": "ir_datasets", "id": "beir/scifact/test", "run": None},
        },
        "train_on": ["made"],
        "detect_on": ["known"],
        "panel": ["own"],
        "backbones": {"small": {"source": "local", "path": "/models/small", "reranker": None}},
        "rerankers": {},
        "methods": ["icr", "core", "qrhead-own", "headrank-untrained"],
        "trained_baselines": {"qrranker": {"heads": "qrhead"}},
        "variants": {"k-2": {"selection": {"k": 2}}, "short": {"candidates": {"depth": 10}}},
        "generative": {"methods": ["rankgpt"], "queries": 2},
        "headrank": {"candidates": {"depth": 40}, "training": {"seed": 7}},
        "first_stage": {
            "method": "bm25",
            "k1": 0.9,
            "b": 0.4,
            "encoder": "tiny",
            "pooling": "cls",
            "query_prefix": "",
            "document_prefix": "",
            "max_tokens": 512,
        },
        "evaluation": {"baseline": "core", "metrics": ["ndcg@10"]},
        **changes,
    }


def results_folder(root: Path, config: dict[str, Any] | None = None) -> Path:
    """Write the files of a study, its provenance and its manifest; equal arguments give equal results."""
    config = config or configuration()
    for name in config["collections"]:
        place = root / "collections" / name
        place.mkdir(parents=True)
        rows = [json.dumps({"_id": qid, "text": f"{name} {qid}"}) for qid in QUERIES]
        (place / "queries.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        (place / "passages.jsonl").write_text('{"_id": "a", "text": "oak"}\n', encoding="utf-8")
        (place / "qrels.trec").write_text("q1 0 a 1\n", encoding="utf-8")
        write_run(place / "candidates.trec", ranking(), "bm25")
    for method in ("icr", "headrank"):
        write_run(root / "runs" / "small" / "own" / f"{method}.trec", ranking(), method)
        (root / "runs" / "small" / "own" / f"{method}.trec.yaml").write_text("tag: x\n", encoding="utf-8")
    (root / "backbones" / "small").mkdir(parents=True)
    save_file({"w": np.arange(64, dtype=np.float32)}, root / "backbones" / "small" / "model.safetensors")
    (root / "backbones" / "small" / ".snakemake_timestamp").touch()
    heads = HeadSet("headrank", "small", 4, 4, ((1, 0), (2, 3)), (0.9, 0.5), {"selection": (0.1,) * 16})
    heads.save(root / "heads" / "small" / "headrank.json")
    (root / "tables").mkdir()
    pd.DataFrame({"method": ["bm25", "headrank"], "own": [0.5, 0.75]}).to_csv(
        root / "tables" / "main.csv", index=False
    )
    (root / "tables" / "timing.csv").write_text("rule,total_s\ntrain,3.5\n", encoding="utf-8")
    adapter = root / "adapters" / "small" / "headrank"
    adapter.mkdir(parents=True)
    (adapter / "curve.csv").write_text("step,loss\n1,0.5\n", encoding="utf-8")
    (adapter / "steps.csv").write_text("step,seconds\n1,2.5\n", encoding="utf-8")
    (root / "metrics").mkdir()
    metrics(0.5).to_parquet(root / "metrics" / "main.parquet", index=False)
    (root / "benchmarks" / "train").mkdir(parents=True)
    for job, seconds in (("a", 2.0), ("b", 1.5)):
        text = f"s\tmax_rss\tcpu_time\tmean_load\n{seconds}\t100.0\t1.0\t50\n"
        (root / "benchmarks" / "train" / f"{job}.tsv").write_text(text, encoding="utf-8")
    (root / "benchmarks" / "manifest.tsv").write_text("s\tmax_rss\n9.0\t-\n", encoding="utf-8")
    told = record(root, config, REPOSITORY, ["small"], ["manifest"])
    (root / NAME).write_text(json.dumps(told), encoding="utf-8")
    write_manifest(root)
    return root


def ranking() -> dict[str, list[tuple[str, float]]]:
    return {qid: [("a", 3.0), ("b", 2.0), ("c", 1.0)] for qid in QUERIES}


def metrics(value: float) -> pd.DataFrame:
    """nDCG@10 of each query, of the first stage and of one method."""
    rows = [
        {"backbone": backbone, "benchmark": "own", "method": method, "qid": q, "metric": "nDCG@10"}
        for backbone, method in (("", "bm25"), ("small", "headrank"))
        for q in QUERIES
    ]
    return pd.DataFrame(rows).assign(value=value)


def change_provenance(root: Path, **changes: Any) -> None:
    """Put values into a folder's provenance by top-level key."""
    path = root / NAME
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
