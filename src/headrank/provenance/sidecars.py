"""Sidecars of TREC runs in the ir_metadata schema, version 0.1 (Breuer, Keller and Schaer, SIGIR 2022).

The schema (https://www.ir-metadata.org) describes a run by platform, research goal, implementation, method, actor and
data. Here it is a YAML file next to the run, never part of the run, where ``#`` lines would break programs that read
it. A sidecar holds nothing that differs between equal runs on equal machines: no time, no path outside the results
folder, no person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from headrank.errors import InputError
from headrank.evaluation.metric import Metric
from headrank.evaluation.metrics import read_metrics
from headrank.methods.entry import NOTHING, Asked
from headrank.methods.table import FROZEN, METHODS

SUFFIX = ".yaml"
PAPER = "https://arxiv.org/abs/2604.17237"
_FIRST_STAGE = "first stage"
_ARXIV = re.compile(r"\((\d{4}\.\d{5})\)")
_POOLS = {"training": "train_on", "detection": "detect_on"}
# What the tables' marks stand for.
_TEST = {"name": "paired randomisation test over queries, two-sided", "correction method": "holm"}


def sidecar(run: str, tag: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of one run, its sections in the schema's order.

    run: path within the results folder, ``runs/BACKBONE/BENCHMARK/METHOD.trec`` or ``.../COLLECTION/candidates.trec``
        or ``collections/COLLECTION/first-stage.trec``.
    tag: of the run's last column. provenance: as ``provenance.record`` gives it. Raises InputError for other paths.
    """
    config = provenance["configuration"]["values"]
    data: dict[str, Any]
    match PurePosixPath(run).with_suffix("").parts:
        case ("runs", backbone, benchmark, method):
            stages = [_first_stage(benchmark, config), _reranker(method, backbone, provenance)]
            data = {"test collection": _collection(benchmark, provenance)}
            if used := _learned_from(method, config):
                data["training data"] = [_collection(name, provenance) for name in used]
                if leaked := _leaked(used, benchmark, provenance):
                    data["leakage"] = leaked
        case ("collections", name, "candidates" | "first-stage"):
            stages, data = [_first_stage(name, config)], {"test collection": _collection(name, provenance)}
        case (pool, "candidates") if pool in _POOLS:
            names = config[_POOLS[pool]]
            stages = [_first_stage(name, config) | {"collection": name} for name in names]
            data = {"training data": [_collection(name, provenance) for name in names]}
        case _:
            raise InputError(f"{run}: neither a ranking of the study nor the candidates of a collection")
    return {
        "schema-version": 0.1,
        "run-version": 1.0,
        "tag": tag,
        "platform": _platform(provenance),
        "research goal": _goal(config),
        "implementation": _implementation(run, provenance),
        "method": {
            "automatic": True,
            "score ties": "none: written scores decrease strictly",
            **(
                {"indexing": _INDEXING} if any(stage["method"].startswith("BM25") for stage in stages) else {}
            ),
            "retrieval": stages,
        },
        "actor": {"role": "reproducer"},
        "data": data,
    }


_INDEXING = {
    "tokenizer": "bm25s",
    "stemmer": "Snowball English (PyStemmer)",
    "stopwords": "English list of bm25s",
}


def _platform(provenance: Mapping[str, Any]) -> dict[str, Any]:
    machine, software = provenance["machine"], provenance["software"]
    hardware: dict[str, Any] = {
        "cpu": {
            "model": machine["cpu"]["model"],
            "architecture": machine["cpu"]["architecture"],
            "number of cores": machine["cpu"]["cores"],
        },
        "ram": _gigabytes(machine["memory_gib"]),
    }
    if machine["gpus"]:
        first = machine["gpus"][0]
        hardware["gpu"] = {
            "model": first["name"],
            "number of devices": len(machine["gpus"]),
            "ram": _gigabytes(first["memory_gib"]),
            "driver": first["driver"],
        }
    found = {name: version for name, version in software["packages"].items() if version}
    libraries = [f"python=={software['python']}", *(f"{name}=={found[name]}" for name in sorted(found))]
    toolkit = [f"bm25s=={found['bm25s']}"] if "bm25s" in found else []
    return {
        "hardware": hardware,
        "operating system": {
            "kernel": machine["os"]["kernel"],
            "distribution": machine["os"]["distribution"],
        },
        "software": {"libraries": {"python": libraries}, "retrieval toolkit": toolkit},
    }


def _goal(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "publication": {"arxiv": PAPER},
        "evaluation": {
            "reported measures": [
                _measure(metric) for metric in read_metrics(config["evaluation"]["metrics"])
            ],
            "baseline": [config["evaluation"]["baseline"]],
            "significance test": [dict(_TEST)],
        },
    }


def _measure(metric: Metric) -> str:
    """The metric by trec_eval's name, which the schema asks for, if trec_eval has exactly this metric."""
    cut = "{cutoff}" in metric.kind.measure
    exact = metric.measure and metric.level == 1 and cut == (metric.cutoff is not None)
    return metric.measure if exact else metric.name


def _implementation(run: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    code, configuration = provenance["code"], provenance["configuration"]
    return {
        "executable": {
            "cmd": f"snakemake --cores all results/{configuration['values']['name']}/{run}",
            "configuration sha256": configuration["sha256"],
        },
        "source": {
            "lang": ["python"],
            "commit": code["commit"],
            "uncommitted changes": code["dirty"],
            "sha256": code["sha256"],
        },
    }


def _first_stage(collection: str, config: Mapping[str, Any]) -> dict[str, Any]:
    spec = config["collections"][collection]
    if spec.get("run"):
        return {"name": _FIRST_STAGE, "method": "a given run", "run": PurePosixPath(spec["run"]).name}
    given = config["first_stage"]
    method = spec.get("first_stage") or given["method"]
    if method == "official":
        return {"name": _FIRST_STAGE, "method": "the official candidates of the collection"}
    if method == "dense":
        keys = ("encoder", "pooling", "query_prefix", "document_prefix", "max_tokens")
        return {"name": _FIRST_STAGE, "method": "cosine of dense vectors", **{k: given[k] for k in keys}}
    return {"name": _FIRST_STAGE, "method": "BM25, Lucene's variant", "k1": given["k1"], "b": given["b"]}


def _reranker(method: str, backbone: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    config = provenance["configuration"]["values"]
    base, over = _base(method, config)
    described = METHODS[base]
    has_weights = isinstance(described, Asked) and described.weights
    model = config["backbones"][backbone]["reranker"] if has_weights else None
    stage: dict[str, Any] = {
        "name": method,
        "method": described.about,
        "kind": described.kind,
        "backbone": _model(model or backbone, provenance["models"]),
        "rerankCutoff": _depth(over, config["backbones"][backbone], config),
        "reranks": _FIRST_STAGE,
    }
    if cited := _ARXIV.search(described.about):
        stage["arxiv"] = f"https://arxiv.org/abs/{cited[1]}"
    if over:
        stage["changed settings"] = over
    if base != method:
        stage["variant of"] = base
    if isinstance(described, Asked) and config["generative"]["queries"] is not None:
        stage["queries"] = f"the first {config['generative']['queries']} only"
    return stage


def _base(method: str, config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The known method that a run's method is, or is a variant of, and the settings that differ from HeadRank's."""
    over = {**config["trained_baselines"], **config["variants"]}.get(method, {})
    base = "headrank" if over and method not in METHODS else method
    if base not in METHODS:
        raise InputError(
            f"{method}: neither a method nor a variant of the study; is the run from another one?"
        )
    return base, over


def _learned_from(method: str, config: Mapping[str, Any]) -> list[str]:
    """The collections whose judgements chose the method's heads or trained it."""
    if method in config["methods"] and FROZEN[method].pool == "detection":
        return list(config["detect_on"])
    described = METHODS[_base(method, config)[0]]
    taught = not isinstance(described, Asked) and described.needs != NOTHING
    return list(config["train_on"]) if taught else []


def _leaked(used: list[str], benchmark: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The queries of the training data that are the benchmark's too, or nearly; empty if there are none."""
    told = provenance.get("leakage", {"queries": []})
    mine = [leak for leak in told["queries"] if leak["collection"] in used and leak["benchmark"] == benchmark]
    keys = ("collection", "qid", "test_qid", "how", "similarity")
    queries = list(
        {tuple(leak[key] for key in keys): {key: leak[key] for key in keys} for leak in mine}.values()
    )
    return {"action": told["action"], "queries": queries} if queries else {}


def _depth(over: Mapping[str, Any], backbone: Mapping[str, Any], config: Mapping[str, Any]) -> int:
    """How many candidates are reranked: what the variant says, or else the backbone, or else the study."""
    places = (over, backbone.get("headrank") or {}, config["headrank"])
    found: int = next(part["candidates"]["depth"] for part in places if "depth" in part.get("candidates", {}))
    return found


def _model(name: str, models: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: models[name][key] for key in ("source", "id", "revision") if key in models[name]}
    return {"name": name, **told, "sha256": models[name]["sha256"]}


def _collection(name: str, provenance: Mapping[str, Any]) -> dict[str, Any]:
    spec = provenance["collections"][name]
    told: dict[str, Any] = {"name": name, "source": spec["source"]}
    if spec["source"] == "ir_datasets":
        told["ir_datasets"] = spec["id"]
    if "synthetic" in spec:
        told["synthetic"] = dict(spec["synthetic"])
    told["topics"] = f"collections/{name}/queries.jsonl"
    told["qrels"] = f"collections/{name}/qrels.trec"
    return {**told, "sha256": dict(spec["sha256"])}


def _gigabytes(gib: int | None) -> str | None:
    return None if gib is None else f"{gib} GB"
