"""TREC runs and relevance judgements: a run is validated once, when it is read.

A run file has six columns (``qid Q0 docid rank score tag``), judgements have four (``qid 0 docid grade``),
separated by spaces or tabs; UTF-8 with or without a byte order mark, LF or CRLF, plain or gzip, also from a pipe.
Blank lines and lines that begin with ``#`` (comments, headers of ir_metadata) are skipped, as are words after a run's
tag and a comment after a grade. BEIR's judgements, three columns under a line of their names, are read too.

Order and ties: a query's documents are ordered by score as trec_eval orders them, which compares scores in
float32, puts the higher one first, breaks ties by document id in *descending* order and ignores the rank
column. So a run read here has the order under which published figures were measured. A run whose scores
contradict its ranks as a whole is refused unless the caller says which of them counts. ``write_run`` leaves no
ties behind.
"""

from __future__ import annotations

import gzip
import logging
import math
import os
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from headrank.data.atomic import whole_file
from headrank.data.files import MIB, open_regular
from headrank.data.run_order import OrderBy, ordered
from headrank.errors import InputError, NotFoundError, shown

logger = logging.getLogger(__name__)
Run = dict[str, list[tuple[str, float]]]
"""qid -> [(docid, score)], best first."""

Qrels = dict[str, dict[str, int]]
"""qid -> {docid: grade}; a grade of 0 or less means judged and not relevant."""

# Bytes of a line: far more than any passage has, and what a damaged or compressed file may hold without a line end.
_LONGEST = 16 * MIB
_GZIP_MAGIC = b"\x1f\x8b"
_BLANKS = re.compile(r"[ \t\r\f\v]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# As long as a 64-bit integer may be: more digits are from a wrong column.
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_UNFIT = re.compile(r"[\s\0\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
# trec_eval's nDCG allocates memory in proportion to the largest grade: a number from a wrong column must not reach it.
_LARGEST_GRADE = 1000
_RUN_COLUMNS, _QRELS_COLUMNS = 6, 4
_BEIR_HEADER = ["query-id", "corpus-id", "score"]
_COMMENT = "#"
_SMALLEST_NORMAL = np.finfo(np.float32).tiny


def open_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line with its line feed) of a UTF-8 text file, plain or gzip.

    Raises InputError when the file is missing, is a directory, a named pipe or a device, is cut or damaged gzip, has a
    line of more than 16 MiB, or is not UTF-8.
    """
    number = 0
    try:
        with open_regular(path, pipes=True) as raw:
            # Only looked at, not read: a pipe cannot be wound back.
            zipped = raw.peek(2).startswith(_GZIP_MAGIC)
            stream = gzip.GzipFile(fileobj=raw) if zipped else raw
            for number, line in enumerate(iter(partial(stream.readline, _LONGEST), b""), start=1):
                if len(line) == _LONGEST and not line.endswith(b"\n"):
                    raise InputError(
                        f"{path}:{number}: a line of more than {_LONGEST // MIB} MiB; check the file"
                    )
                text = line.decode("utf-8")
                yield number, text.removeprefix("\ufeff") if number == 1 else text
    except FileNotFoundError:
        raise NotFoundError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise NotFoundError(f"{path}: is a directory, expected a file") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}:{number}: not UTF-8 text; convert the file to UTF-8") from None
    except EOFError:
        raise InputError(
            f"{path}:{number + 1}: unexpected end of the compressed file; fetch or make it again"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}:{number + 1}: damaged gzip ({error}); fetch or make it again") from None
    except PermissionError:
        raise NotFoundError(f"{path}: no permission to read") from None


def check_id(identifier: str, where: str, kind: str) -> str:
    """Return ``identifier`` if it can stand in a run file, that is non-empty, encodable and without blanks.

    Blanks of every kind are refused, no-break spaces and byte order marks included: some readers split on
    them or drop them, and others do not.
    """
    if not identifier or _UNFIT.search(identifier):
        raise InputError(f"{where}: {kind} {shown(identifier)} is empty or holds blanks; rename it")
    if _SURROGATE.search(identifier):
        raise InputError(f"{where}: {kind} {shown(identifier)} is not valid Unicode text")
    return identifier


def check_qid(identifier: str, where: str) -> str:
    """Return a query id that can stand in a run file: ``check_id``, and no ``#`` in front, which marks comments."""
    if identifier.startswith(_COMMENT):
        raise InputError(
            f"{where}: query id {shown(identifier)} begins with {_COMMENT!r}, which marks a comment in runs and "
            "judgements; rename it"
        )
    return check_id(identifier, where, "query id")


def _rows(path: str | os.PathLike[str], count: int) -> Iterator[tuple[str, list[str], str]]:
    """The rows of a run or of judgements: (file:line, columns, the line as it is).

    count: how many columns a row has. Comments of so many columns without a blank behind their ``#`` may have been
    meant as rows of a query whose id begins so; they are counted in the log.
    """
    doubtful = 0
    for number, line in open_lines(path):
        columns = _BLANKS.split(line.strip(" \t\r\n\f\v"))
        if columns[0].startswith(_COMMENT):
            doubtful += columns[0] != _COMMENT and len(columns) == count
        elif columns != [""]:
            yield f"{path}:{number}", columns, line
    if doubtful:
        logger.warning("%s: %d lines that begin with %r are read as comments", path, doubtful, _COMMENT)


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
    for where, columns, line in _rows(path, _RUN_COLUMNS):
        qid, docid, rank, score, tag = _run_columns(where, columns, line)
        check_id(qid, where, "query id")
        check_id(docid, where, "document id")
        if not _INTEGER.fullmatch(rank):
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
    for where, columns, line in _rows(path, _RUN_COLUMNS):
        return _run_columns(where, columns, line)[-1]
    raise InputError(f"{path}: the run is empty")


def _run_columns(where: str, columns: Sequence[str], line: str) -> tuple[str, str, str, str, str]:
    """qid, docid, rank, score, tag of a row; words after the tag are dropped, as trec_eval drops them."""
    count = len(columns)
    # A number as the tag of a longer line: more likely an id with a blank in it, by which all columns have moved.
    if count < _RUN_COLUMNS or (count > _RUN_COLUMNS and _NUMBER.fullmatch(columns[5])):
        cut = "" if line.endswith("\n") else " and no line end: the file seems cut"
        raise InputError(f"{where}: expected 6 columns (qid Q0 docid rank score tag), found {count}{cut}")
    qid, _, docid, rank, score, tag = columns[:_RUN_COLUMNS]
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
    _write(path, "".join(lines))


def read_qrels(path: str | os.PathLike[str]) -> Qrels:
    """Read judgements; a line given twice with the same grade counts once.

    Raises InputError naming file and line on a wrong number of columns, a grade that is no integer (or beyond
    +-1000), two grades for one pair of query and document, or an empty file.
    """
    qrels: Qrels = {}
    beir: bool | None = None
    for where, columns, _ in _rows(path, _QRELS_COLUMNS):
        comment = next((i for i, word in enumerate(columns) if i > 2 and word.startswith(_COMMENT)), None)
        values = columns[:comment]
        if beir is None:
            beir = values == _BEIR_HEADER
            if beir:
                continue
        if beir and len(values) == len(_BEIR_HEADER):
            values.insert(1, "0")
        if len(values) != _QRELS_COLUMNS:
            raise InputError(f"{where}: expected 4 columns (qid 0 docid grade), found {len(values)}")
        qid, _, docid, grade = values
        if not _INTEGER.fullmatch(grade):
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
    _write(path, "".join(lines))


def _write(path: str | os.PathLike[str], text: str) -> None:
    data = text.encode("utf-8")
    if os.fspath(path).endswith(".gz"):
        data = gzip.compress(data, mtime=0)  # no time stamp: equal content gives equal bytes
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def check_candidates(
    run: Mapping[str, Sequence[tuple[str, float]]], queries: Collection[str], source: str = "candidates"
) -> None:
    """Check that a run has candidates for exactly the given queries.

    ``queries`` are the query ids (or a mapping keyed by them), ``source`` is the file named in the message.
    Raises InputError naming queries without candidates, or queries of the run that the collection lacks.
    """
    unknown = [qid for qid in run if qid not in queries]
    if unknown:
        raise InputError(
            f"{source}: {_some(unknown)} not among the {len(queries)} queries of the collection; "
            "use the run of this collection"
        )
    without = [qid for qid in queries if not run.get(qid)]
    if without:
        raise InputError(
            f"{source}: no candidates for {_some(without)}; add them to the run or leave these queries out"
        )


def _some(identifiers: Sequence[str]) -> str:
    shown = ", ".join(identifiers[:5])
    if len(identifiers) == 1:
        return f"query {shown}"
    more = f" and {len(identifiers) - 5} more" if len(identifiers) > 5 else ""
    return f"{len(identifiers)} queries ({shown}{more})"
