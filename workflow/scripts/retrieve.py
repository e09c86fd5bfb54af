"""First stage: BM25 over the collection, or a run that is given, cut to depth."""

from pathlib import Path

from headrank.collections import open_collection
from headrank.retrieval import bm25, cut, without_same_id
from headrank.runs import check_candidates, read_run, write_run
from headrank.stage import stage


def main(name, spec, queries_path, run_path, depth, drop_same_id, candidates_path):
    known = open_collection(name, {"source": "local", "path": str(Path(queries_path).parent)}).queries()
    if run_path:
        run = {qid: ranked for qid, ranked in read_run(run_path).items() if qid in known}
        run = without_same_id(run) if drop_same_id else run
        check_candidates(run, known, run_path)
        run = cut(run, depth)
    else:
        documents = open_collection(name, spec).documents()
        run = bm25(documents, known, depth, drop_same_id=drop_same_id)
    write_run(candidates_path, run, "first-stage" if run_path else "bm25")


if __name__ == "__main__":
    with stage(snakemake.log[0]):
        main(
            snakemake.wildcards.collection,
            snakemake.params.spec,
            snakemake.input.queries,
            next(iter(snakemake.input.run), None),
            snakemake.params.depth,
            snakemake.params.drop_same_id,
            snakemake.output.candidates,
        )
