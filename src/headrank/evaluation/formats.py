"""Whether rankings hold every candidate exactly once, and counts of ties, empty documents and answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import pandas as pd

from headrank.evaluation.metric import NAN
from headrank.evaluation.per_query import Cell


def format_counts(
    rankings: Iterable[tuple[Cell, pd.DataFrame]],
    candidates: Mapping[str, Mapping[str, Sequence[str]]],
    answers: Mapping[Cell, pd.DataFrame],
    writing: Collection[str],
) -> pd.DataFrame:
    """A row per cell: backbone, method, benchmark, queries, permutations (queries whose ranking holds every candidate
    once), ties, empty_documents, and for methods that write answers: calls, complete, well_formed (else NaN).

    rankings: frames with qid, docid, score, empty (bool). candidates: benchmark -> query -> the documents to be ranked.
    answers: the calls of generative methods, which may run on part of the queries; for those in ``writing`` the answers
    are counted.
    """
    expected = {
        benchmark: {qid: sorted(docids) for qid, docids in queries.items()}
        for benchmark, queries in candidates.items()
    }
    rows: list[tuple[object, ...]] = []
    for cell, ranking in rankings:
        backbone, benchmark, method = cell
        found = {str(qid): sorted(docids) for qid, docids in ranking.groupby("qid")["docid"]}
        wanted = expected[benchmark]
        told: tuple[float, ...] = (NAN, NAN, NAN)
        if cell in answers:
            wanted = {qid: wanted[qid] for qid in found}
            if method in writing:
                calls = answers[cell]
                told = (len(calls), int(calls["complete"].sum()), int(calls["well_formed"].sum()))
        valid = sum(found.get(qid) == docids for qid, docids in wanted.items())
        ties = int(ranking.duplicated(["qid", "score"], keep=False).sum())
        empty = int(ranking["empty"].sum())
        rows.append((backbone, method, benchmark, len(wanted), valid, ties, empty, *told))
    columns = "backbone method benchmark queries permutations ties empty_documents calls complete well_formed"
    return pd.DataFrame(rows, columns=columns.split())
