"""Long lists of a real model: 100 and 1,000 passages in windows, as a tournament, and in one pass as far as it reaches.

HEADRANK_DATA=... python docs/measurements/scores/long_lists.py --heads headrank.json --work FOLDER --queries 3

BM25 ranks the 16,157 passages of the DL 2019 folder, which are the candidates of several runs, for its first queries.
A row per query, list and way is kept in the work folder, so that the script can be stopped and goes on. Seconds are
processor time of one thread, so that they do not depend on what else runs; their ratios to one pass over 40 passages
are in the table. Nothing is chosen by the result.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from headrank import Document, RankedDocument, Reranker
from headrank.api.windows import passes, sliding, tournament
from headrank.bench.memory import peak_memory
from headrank.data.collections import open_collection
from headrank.data.trec import read_qrels
from headrank.evaluation.evaluate import evaluate
from headrank.retrieval.bm25_index import Bm25Index, build_index

HERE = Path(__file__).parent
DEPTH, TOKENS, COUNTS, TOP = 40, 32, (100, 1000), 10
METRICS = ("ndcg@10", "recall(rel=2)@10", "recall(rel=2)@40")
Rank = Callable[[str, list[Document]], list[RankedDocument]]


def ways(reranker: Reranker) -> dict[str, tuple[Rank, Callable[[int], int]]]:
    """Name -> how it ranks, and in how many passes."""

    def rank(beyond: Any, top_k: int | None = None) -> Rank:
        return lambda query, documents: reranker.rank(
            query, documents, beyond=beyond, top_k=top_k, progress=False
        )

    def whole(query: str, documents: list[Document]) -> list[RankedDocument]:
        reranker.depth = len(documents)
        try:
            return reranker.rank(query, documents, beyond="append", progress=False)
        finally:
            reranker.depth = DEPTH

    return {
        "BM25": (lambda query, documents: as_given(documents), lambda n: 0),
        "one pass over 40": (rank("append"), lambda n: 1),
        "one pass over all that fit": (whole, lambda n: 1),
        "windows": (rank("windows"), lambda n: passes(sliding(n, DEPTH))),
        "tournament": (rank("tournament"), lambda n: passes(tournament(n, DEPTH))),
        "tournament, top 10": (rank("tournament", TOP), lambda n: passes(tournament(n, DEPTH, TOP))),
    }


def as_given(documents: list[Document]) -> list[RankedDocument]:
    return [RankedDocument(i, d.docid, i + 1, -float(i), d.text) for i, d in enumerate(documents)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--heads", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--queries", type=int, default=3)
    parser.add_argument("--ways", nargs="+", help="only these, by their names in the table")
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(os.environ["HEADRANK_DATA"], "dl19")
    collection = open_collection("dl19", {"source": "local", "path": str(folder)})
    index = options.work / "index"
    if not index.exists():
        build_index(collection.documents(), index)
    bm25, qrels = Bm25Index(index), read_qrels(folder / "qrels.trec")
    reranker = Reranker(
        "qrhead-ratio",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        heads=options.heads,
        family="qwen2.5",
        truncate_tokens=TOKENS,
        depth=DEPTH,
    )
    done = options.work / "rows.jsonl"
    rows = [json.loads(line) for line in done.read_text().splitlines()] if done.exists() else []
    known = {(row["qid"], row["count"], row["way"]) for row in rows}
    queries = sorted(collection.queries().items())[: options.queries]
    for count in options.counts:
        for qid, query in queries:
            docids = [docid for docid, _ in bm25.search(query, count)]
            documents = list(collection.lookup(set(docids)).items())
            listed = [document for _, document in sorted(documents, key=lambda item: docids.index(item[0]))]
            for way, (rank, number) in ways(reranker).items():
                if (qid, count, way) in known or (options.ways and way not in options.ways):
                    continue
                ranked, memory, seconds = _timed(rank, query, listed)
                run = {qid: [(str(d.id), float(-d.rank)) for d in ranked]}
                found = evaluate(run, {qid: qrels[qid]}, METRICS)
                values = dict(zip(found["metric"], found["value"], strict=True))
                row = {"qid": qid, "count": count, "way": way, "passes": number(count), **values}
                rows.append({**row, "seconds": seconds, "memory_mb": memory / 1e6})
                with done.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
                print(rows[-1], flush=True)
    _table(pd.DataFrame(rows)).to_csv(HERE / "long_lists_smollm2-135m.csv", index=False)


def _timed(rank: Rank, query: str, documents: list[Document]) -> tuple[list[RankedDocument], float, float]:
    begin = time.process_time()
    ranked, memory = peak_memory(lambda: rank(query, documents), torch.device("cpu"))
    return ranked, memory, time.process_time() - begin


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over queries; times as ratios to one pass over 40 passages for the same query."""
    rows = rows.drop_duplicates(["qid", "count", "way"])
    one = rows[rows["way"] == "one pass over 40"].set_index(["count", "qid"])["seconds"]
    rows["time"] = (
        rows["seconds"].to_numpy() / one.loc[list(zip(rows["count"], rows["qid"], strict=True))].to_numpy()
    )
    columns = ["passes", "seconds", "time", "memory_mb", *(name for name in rows if "@" in str(name))]
    table = rows.groupby(["count", "way"], sort=False)[columns].mean()
    table.insert(0, "queries", rows.groupby(["count", "way"], sort=False)["qid"].nunique())
    return table.round(3).reset_index()


if __name__ == "__main__":
    main()
