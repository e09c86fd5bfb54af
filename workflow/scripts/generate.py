"""Rerank with the generative references; every answer of the model is kept beside the run.

One job reads the model once and serves all methods and benchmarks.
"""

from pathlib import Path

import torch

from headrank.backbone import load_backbone
from headrank.files import write_parquet
from headrank.generative.calls import write_calls
from headrank.generative.rerank import rerank_generative
from headrank.generative.settings import GenerativeSettings
from headrank.rerankers import as_run, read_candidates_of
from headrank.runs import write_run
from headrank.specs import read_spec
from headrank.stage import stage


def main(inputs, names, queries, given, depth, model, rankings):
    settings = read_spec(GenerativeSettings, given, "generative")
    backbone = load_backbone(inputs.backbone, dtype=model["dtype"], device=model["device"])
    places = {Path(path).parent.name: Path(path).parent for path in rankings}
    for run in inputs.candidates:
        candidates = read_candidates_of(Path(run).parent, depth)[:queries]
        place = places[Path(run).parent.name]
        for name in names:
            ranked, calls = rerank_generative(name, backbone, candidates, settings)
            write_run(place / f"{name}.trec", as_run(ranked), name)
            write_parquet(place / f"{name}.parquet", ranked)
            write_calls(place / f"{name}.calls.jsonl.gz", calls)


if __name__ == "__main__":
    torch.set_num_threads(snakemake.threads)
    with stage(snakemake.log[0]):
        main(
            snakemake.input,
            snakemake.params.methods,
            snakemake.params.queries,
            snakemake.params.settings,
            snakemake.params.depth,
            snakemake.params.model,
            snakemake.output.rankings,
        )
