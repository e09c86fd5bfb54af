"""RankGPT and setwise beside the other methods, on the queries that they were asked: nDCG@10 and the form of answers.

    python docs/measurements/pretrained/writing.py STUDY WRITTEN DATA

STUDY: results of config/pretrained.yaml. WRITTEN: those of the same study with ``generative: {methods: [rankgpt,
setwise], queries: 20}``. DATA: the collections. Writes writing.csv and answers.csv beside this file.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pandas as pd
import pytrec_eval

from headrank.data.trec import read_qrels, read_run

METHODS = (
    "bm25",
    "rankgpt",
    "setwise",
    "first",
    "yes-no",
    "query-likelihood",
    "headrank-untrained",
    "headrank",
)
BENCHMARKS = ("dl19", "dl20")
HERE = Path(__file__).parent


def main(study: Path, written: Path, data: Path) -> None:
    quality, answers = [], []
    for backbone in sorted(path.name for path in (written / "runs").iterdir()):
        for benchmark in BENCHMARKS:
            own, others = (place / "runs" / backbone / benchmark for place in (written, study))
            calls = {name: _calls(own / f"{name}.calls.jsonl.gz") for name in ("rankgpt", "setwise")}
            asked = sorted(set(calls["rankgpt"]["qid"]))
            qrels = {
                qid: grades
                for qid, grades in read_qrels(data / benchmark / "qrels.trec").items()
                if qid in asked
            }
            evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut_10"})
            for method in METHODS:
                place = data / benchmark / "run.bm25.trec" if method == "bm25" else others / f"{method}.trec"
                run = read_run(own / f"{method}.trec" if method in calls else place)
                scored = {qid: {d: -float(rank) for rank, (d, _) in enumerate(run[qid])} for qid in asked}
                values = [row["ndcg_cut_10"] for row in evaluator.evaluate(scored).values()]
                quality.append((backbone, benchmark, method, len(asked), sum(values) / len(values)))
            for method, told in calls.items():
                shares = told[["complete", "well_formed"]].mean()
                answers.append((backbone, benchmark, method, len(told), *shares, told["new_tokens"].mean()))
    columns = ["backbone", "benchmark", "method", "queries", "ndcg@10"]
    pd.DataFrame(quality, columns=columns).round(4).to_csv(HERE / "writing.csv", index=False)
    columns = ["backbone", "benchmark", "method", "answers", "complete", "well_formed", "tokens"]
    pd.DataFrame(answers, columns=columns).round(4).to_csv(HERE / "answers.csv", index=False)


def _calls(path: Path) -> pd.DataFrame:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return pd.DataFrame([json.loads(line) for line in file])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
