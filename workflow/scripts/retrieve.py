"""First stage: the best documents of a BM25 index, the collection's official candidates, or a run that is given.

``first-stage.trec`` is as deep as its comparison with published figures asks for, ``candidates.trec`` what is reranked.
"""

from pathlib import Path

from headrank.data.collections import open_collection
from headrank.data.trec import check_candidates, read_run, write_run
from headrank.jobs.job import stage
from headrank.retrieval.bm25_index import Bm25Index
from headrank.retrieval.first_stage import cut, retrieve, without_same_id


def given(name, spec, run_path, known, drop_same_id):
    """Candidates that were retrieved elsewhere, of the queries that are known."""
    run = read_run(run_path) if run_path else open_collection(name, spec).official()
    run = {qid: ranked for qid, ranked in run.items() if qid in known}
    run = without_same_id(run) if drop_same_id else run
    check_candidates(run, known, run_path or f"{name}: official candidates")
    return run


def main(name, inputs, stage_name, params, outputs):
    known = open_collection(name, {"source": "local", "path": str(Path(inputs.queries).parent)}).queries()
    deepest = max(params.depth, params.check_depth)
    if stage_name == "bm25":
        run = retrieve(Bm25Index(inputs.index), known, deepest, params.drop_same_id)
    else:
        path = next(iter(inputs.run), None)
        run = cut(given(name, params.spec, path, known, params.drop_same_id), deepest)
    tag = "first-stage" if stage_name == "run" else stage_name
    write_run(outputs.first_stage, run, tag)
    write_run(outputs.candidates, cut(run, params.depth), tag)


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.wildcards.collection,
            snakemake.input,
            snakemake.params.stage,
            snakemake.params,
            snakemake.output,
        )
