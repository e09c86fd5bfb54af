"""``headrank show``: what runs rank first, side by side and with the passages' texts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.commands.inputs import (
    add_order_by,
    add_texts,
    check_texts,
    count,
    read_judgements,
    read_texts,
)
from headrank.errors import InputError, UsageError

if TYPE_CHECKING:
    from headrank.data.run_order import OrderBy
    from headrank.data.trec import Qrels, Run

METRIC = "ndcg@10"


def add(commands: Any) -> None:
    """Put the command into the grammar."""
    parser = commands.add_parser(
        "show",
        help="print rankings side by side, with texts",
        description=(
            "For each query, print the first passages (--top) of every run, with the rank that each run gives them, in"
            " the order of the last run. With judgements, also print their grades and nDCG@10."
        ),
    )
    parser.add_argument(
        "runs", nargs="+", metavar="[LABEL=]RUN", help="TREC runs; the label defaults to the run's tag"
    )
    add_texts(parser)
    parser.add_argument("--qrels", help="TREC judgements (default: the collection's qrels.trec, if any)")
    add_order_by(parser)
    parser.add_argument("--top", type=count, default=5, help="passages of each run (default: 5)")
    parser.add_argument("--limit", type=count, help="show only the first queries, this many")
    parser.add_argument("--only", nargs="+", metavar="QID", help="show these queries only")
    parser.add_argument(
        "--width", type=count, help="columns of a line (default: the terminal's, at most 100)"
    )
    parser.set_defaults(run_command=run)


def run(options: argparse.Namespace) -> None:
    from headrank.commands.terminal import columns, encodable

    check_texts(options)
    runs = _runs(options.runs, options.order_by)
    qrels = read_judgements(options)
    width = options.width or columns()
    for line in _lines(options, runs, qrels, width):
        print(encodable(line, sys.stdout.encoding))


def _lines(
    options: argparse.Namespace, runs: Mapping[str, Run], qrels: Qrels | None, width: int
) -> Iterator[str]:
    from headrank.commands.side_by_side import side_by_side, values_below
    from headrank.commands.terminal import clipped

    ranked = list(dict.fromkeys(qid for run in runs.values() for qid in run))
    rankings = {
        qid: {label: [docid for docid, _ in run.get(qid, [])] for label, run in runs.items()}
        for qid in ranked
    }
    tops = {d for by_run in rankings.values() for found in by_run.values() for d in found[: options.top]}
    queries, passages = read_texts(options, tops)
    chosen = _chosen(options, [qid for qid in queries if qid in rankings], ranked)
    if absent := sorted(tops - set(passages)):
        raise InputError(
            f"{options.corpus}: passage {absent[0]} of the runs is not there; name the corpus of these runs"
        )
    texts = {docid: f"{p.title} {p.text}" for docid, p in passages.items()}
    values = {label: _values(run, qrels) for label, run in runs.items()} if qrels else {}
    highest = max((grade for judged in (qrels or {}).values() for grade in judged.values()), default=0)
    for qid in chosen:
        grades = (qrels or {}).get(qid)
        yield from ["", clipped(queries[qid], width), ""]
        yield from side_by_side(rankings[qid], texts, grades, highest, options.top, width)
        if grades is not None:
            yield values_below({label: found[qid] for label, found in values.items()}, "nDCG@10")
    if values:
        judged = len(next(iter(values.values())))
        yield from ["", f"Mean nDCG@10 over {judged} judged {'query' if judged == 1 else 'queries'}", ""]
        longest = max(map(len, values))
        yield from (
            f"  {label.ljust(longest)}  {sum(v.values()) / judged:.3f}" for label, v in values.items()
        )


def _runs(given: list[str], order_by: OrderBy | None) -> dict[str, Run]:
    from headrank.data.trec import read_tagged_run
    from headrank.tables.names import method_name

    runs: dict[str, Run] = {}
    for text in given:
        label, path = ("", text) if "=" not in text or Path(text).exists() else text.split("=", 1)
        found, tag = read_tagged_run(path, order_by)
        label = label or method_name(tag)
        if label in runs:
            raise UsageError(
                f"{path}: a second run with the label {label!r}; give each its own, as LABEL={path}"
            )
        runs[label] = found
    return runs


def _values(run: Run, qrels: Qrels) -> dict[str, float]:
    """nDCG@10 of each judged query, 0 for those that the run lacks."""
    from headrank.evaluation.evaluate import evaluate

    frame = evaluate(run, qrels, [METRIC])
    return dict(zip(frame["qid"], frame["value"], strict=True))


def _chosen(options: argparse.Namespace, known: list[str], ranked: list[str]) -> list[str]:
    """The queries to show; InputError for a requested one that is not there, or if no query of the runs has a text."""
    for qid in options.only or []:
        if qid not in known:
            raise UsageError(
                f"--only {qid}: no run ranks this query" if qid not in ranked else f"query {qid}: has no text"
            )
    if not known:
        raise InputError(
            f"query {ranked[0]}: has no text, nor has any other query of the runs; are the runs of these queries?"
        )
    return (options.only or known)[: options.limit]
