"""Relevance judgements: four columns, ``qid 0 docid grade``, or BEIR's three under a line of their names."""

from __future__ import annotations

import os
from collections.abc import Mapping

from headrank.data.identifiers import COMMENT, check_id, check_qid
from headrank.data.trec.rows import INTEGER, rows, write
from headrank.errors import InputError, shown

Qrels = dict[str, dict[str, int]]
"""qid -> {docid: grade}; a grade of 0 or less means judged and not relevant."""

# trec_eval's nDCG allocates memory in proportion to the largest grade: a number from a wrong column must not reach it.
_LARGEST_GRADE = 1000
_COLUMNS = 4
_BEIR_HEADER = ["query-id", "corpus-id", "score"]


def read_qrels(path: str | os.PathLike[str]) -> Qrels:
    """Read judgements; a line given twice with the same grade counts once.

    Raises InputError naming file and line on a wrong number of columns, a grade that is no integer (or beyond
    +-1000), two grades for one pair of query and document, or an empty file.
    """
    qrels: Qrels = {}
    beir: bool | None = None
    for where, columns, _ in rows(path, _COLUMNS):
        comment = next((i for i, word in enumerate(columns) if i > 2 and word.startswith(COMMENT)), None)
        values = columns[:comment]
        if beir is None:
            beir = values == _BEIR_HEADER
            if beir:
                continue
        if beir and len(values) == len(_BEIR_HEADER):
            values.insert(1, "0")
        if len(values) != _COLUMNS:
            raise InputError(f"{where}: expected 4 columns (qid 0 docid grade), found {len(values)}")
        qid, _, docid, grade = values
        if not INTEGER.fullmatch(grade):
            raise InputError(f"{where}: grade {shown(grade)} is not an integer")
        check_id(qid, where, "query id")
        check_id(docid, where, "document id")
        add_judgement(qrels, qid, docid, int(grade), where)
    if not qrels:
        raise InputError(f"{path}: no judgement in the file")
    return qrels


def add_judgement(qrels: Qrels, qid: str, docid: str, grade: int, where: str) -> None:
    """Add one judgement to ``qrels``; InputError if it contradicts one there or its grade is absurd."""
    if abs(grade) > _LARGEST_GRADE:
        raise InputError(f"{where}: grade {shown(grade)} is beyond +-{_LARGEST_GRADE}; check the columns")
    known = qrels.setdefault(qid, {}).setdefault(docid, grade)
    if known != grade:
        raise InputError(f"{where}: document {docid} of query {qid} has two grades, {known} and {grade}")


def write_qrels(path: str | os.PathLike[str], qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements, whole or not at all; a name that ends in ``.gz`` is compressed."""
    lines: list[str] = []
    for qid, judged in qrels.items():
        check_qid(qid, os.fspath(path))
        for docid, grade in judged.items():
            check_id(docid, f"{path}: query {qid}", "document id")
            if grade != int(grade):
                raise InputError(f"{path}: query {qid}: grade {grade!r} of {docid} is not an integer")
            lines.append(f"{qid} 0 {docid} {int(grade)}\n")
    if not lines:
        raise InputError(f"{path}: no judgement to write")
    write(path, "".join(lines))
