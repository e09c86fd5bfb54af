"""Runs: ranked documents of each query, with scores.

Order and ties: a query's documents are ordered by score as trec_eval orders them, which compares scores in
float32, puts the higher one first, breaks ties by document id in *descending* order and ignores the rank
column. So a run read here has the order under which published figures were measured. A run whose scores
contradict its ranks as a whole is refused unless the caller says which of them counts. ``write_run`` leaves no
ties behind.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence

import numpy as np

from headrank.data.identifiers import check_id, check_qid
from headrank.data.run_order import OrderBy, ordered
from headrank.data.trec.rows import INTEGER, rows, write
from headrank.errors import InputError, shown

Run = dict[str, list[tuple[str, float]]]
"""qid -> [(docid, score)], best first."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COLUMNS = 6
_SMALLEST_NORMAL = np.finfo(np.float32).tiny


def read_run(path: str | os.PathLike[str], order_by: OrderBy | None = None) -> Run:
    """Read a run; queries in the order of the file, documents best first (module docstring).

    order_by: whether scores or ranks count; None takes the scores if they do not contradict the ranks. Raises
    InputError naming file and line on a wrong number of columns, a rank that is no integer, a score that is not a
    finite number, a document twice for one query, a last line cut short, or an empty file; and naming the file where
    scores and ranks disagree as a whole, or where ranks count and two documents of a query have the same one.
    """
    return read_tagged_run(path, order_by)[0]


def read_tagged_run(path: str | os.PathLike[str], order_by: OrderBy | None = None) -> tuple[Run, str]:
    """``read_run``, and the tag of the run's first line; the file is read once, so that it may be a pipe."""
    scores: dict[str, dict[str, float]] = {}
    ranks: dict[str, list[int]] = {}
    first_tag = previous_tag = ""
    for where, columns, line in rows(path, _COLUMNS):
        qid, docid, rank, score, tag = _run_columns(where, columns, line)
        check_id(qid, where, "query id")
        check_id(docid, where, "document id")
        if not INTEGER.fullmatch(rank):
            raise InputError(f"{where}: rank {shown(rank)} is not an integer; check the order of the columns")
        value = float(score) if _NUMBER.fullmatch(score) else math.nan
        if not math.isfinite(value):
            raise InputError(f"{where}: score {shown(score)} is not a finite number (write it like 12.5)")
        if not line.endswith("\n") and tag != previous_tag and previous_tag.startswith(tag):
            raise InputError(
                f"{where}: the last line is cut in its tag ({shown(tag)}); fetch or make it again"
            )
        documents = scores.setdefault(qid, {})
        if docid in documents:
            raise InputError(f"{where}: document {docid} appears twice for query {qid}; keep one line")
        documents[docid] = value
        ranks.setdefault(qid, []).append(int(rank))
        first_tag, previous_tag = first_tag or tag, tag
    if not scores:
        raise InputError(f"{path}: the run is empty")
    return ordered(path, scores, ranks, order_by), first_tag


def read_tag(path: str | os.PathLike[str]) -> str:
    """The tag of a run's first line; InputError where there is none."""
    for where, columns, line in rows(path, _COLUMNS):
        return _run_columns(where, columns, line)[-1]
    raise InputError(f"{path}: the run is empty")


def _run_columns(where: str, columns: Sequence[str], line: str) -> tuple[str, str, str, str, str]:
    """qid, docid, rank, score, tag of a row; words after the tag are dropped, as trec_eval drops them."""
    count = len(columns)
    # A number as the tag of a longer line: more likely an id with a blank in it, by which all columns have moved.
    if count < _COLUMNS or (count > _COLUMNS and _NUMBER.fullmatch(columns[5])):
        cut = "" if line.endswith("\n") else " and no line end: the file seems cut"
        raise InputError(f"{where}: expected 6 columns (qid Q0 docid rank score tag), found {count}{cut}")
    qid, _, docid, rank, score, tag = columns[:_COLUMNS]
    return qid, docid, rank, score, tag


def strictly_decreasing(scores: Sequence[float]) -> list[np.float32]:
    """Scores in float32, each below the one before it, changed only where they were not.

    Raises InputError on a score that is not finite or does not fit into float32.
    """
    result: list[np.float32] = []
    for score in scores:
        with np.errstate(over="ignore", under="ignore"):
            value = np.float32(score)
        # Subnormal numbers are avoided: a library that flushes them to zero would bring the ties back.
        if abs(value) < _SMALLEST_NORMAL:
            value = np.float32(0)
        if result and not value < result[-1]:
            value = _next_below(result[-1])
        if not np.isfinite(value):
            raise InputError(f"score {score!r} is not a finite float32 number")
        result.append(value)
    return result


def _next_below(value: np.float32) -> np.float32:
    if value == 0:
        return np.float32(-_SMALLEST_NORMAL)
    with np.errstate(over="ignore", under="ignore"):
        below = np.nextafter(value, np.float32(-np.inf))
    return np.float32(0) if abs(below) < _SMALLEST_NORMAL else np.float32(below)


def write_run(
    path: str | os.PathLike[str],
    run: Mapping[str, Sequence[tuple[str, float]]],
    tag: str,
    may_be_empty: bool = False,
) -> None:
    """Write a run in the order given, whole or not at all; a name that ends in ``.gz`` is compressed.

    Ranks count from 1 and scores are made strictly decreasing in float32, so that every evaluation tool reads exactly
    this order. Queries without documents leave no line. Raises InputError on scores that are not finite, documents
    listed twice, ids or tags with blanks, and, unless ``may_be_empty``, a run without any document: a shard without
    queries of a benchmark writes such a run.
    """
    check_id(tag, os.fspath(path), "tag")
    lines: list[str] = []
    for qid, documents in run.items():
        where = f"{path}: query {qid}"
        check_qid(qid, os.fspath(path))
        seen: set[str] = set()
        for docid, score in documents:
            check_id(docid, where, "document id")
            if docid in seen:
                raise InputError(f"{where}: document {docid} appears twice")
            if not math.isfinite(score):
                raise InputError(f"{where}: document {docid} has the score {score}, which is not finite")
            seen.add(docid)
        try:
            scores = strictly_decreasing([score for _, score in documents])
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        lines.extend(
            f"{qid} Q0 {docid} {rank} {score!s} {tag}\n"
            for rank, ((docid, _), score) in enumerate(zip(documents, scores, strict=True), start=1)
        )
    if not lines and not may_be_empty:
        raise InputError(f"{path}: the run holds no document, nothing to write")
    write(path, "".join(lines))
