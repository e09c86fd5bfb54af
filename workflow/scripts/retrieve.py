"""First stage: the best documents of a BM25 index, the collection's official candidates, or a given run.

``first-stage.trec`` is as deep as its comparison with published figures needs; ``candidates.trec`` is what is reranked.
"""

from pathlib import Path

from headrank.data.collections import open_collection
from headrank.data.trec import read_run, write_run
from headrank.jobs.job import job
from headrank.retrieval.bm25_index import Bm25Index
from headrank.retrieval.first_stage import cut, given_candidates, retrieve


def main(name, inputs, stage_name, params, outputs):
    known = open_collection(name, {"source": "local", "path": str(Path(inputs.queries).parent)}).queries()
    deepest = max(params.depth, params.check_depth)
    if stage_name == "bm25":
        run = retrieve(Bm25Index(inputs.index), known, deepest, params.drop_same_id)
    else:
        path = next(iter(inputs.run), None)
        run = read_run(path, params.order_by) if path else open_collection(name, params.spec).official()
        source = path or f"{name}: official candidates"
        run = cut(given_candidates(run, known, source, params.drop_same_id), deepest)
    tag = "first-stage" if stage_name == "run" else stage_name
    write_run(outputs.first_stage, run, tag)
    write_run(outputs.candidates, cut(run, params.depth), tag)


if __name__ == "__main__":
    with job(snakemake.log[0], inputs=snakemake.input, outputs=snakemake.output):
        main(
            snakemake.wildcards.collection,
            snakemake.input,
            snakemake.params.stage,
            snakemake.params,
            snakemake.output,
        )
