"""TREC runs and relevance judgements: a run is validated once, when it is read.

A run file has six columns (``qid Q0 docid rank score tag``), judgements have four (``qid 0 docid grade``),
separated by spaces or tabs; UTF-8 with or without a byte order mark, LF or CRLF, plain or gzip, also from a pipe.
Blank lines and lines that begin with ``#`` (comments, headers of ir_metadata) are skipped, as are words after a run's
tag and a comment after a grade. BEIR's judgements, three columns under a line of their names, are read too.
"""

from headrank.data.trec.qrels import Qrels, add_judgement, read_qrels, write_qrels
from headrank.data.trec.runs import (
    Run,
    read_run,
    read_tag,
    read_tagged_run,
    strictly_decreasing,
    write_run,
)

__all__ = [
    "Qrels",
    "Run",
    "add_judgement",
    "read_qrels",
    "read_run",
    "read_tag",
    "read_tagged_run",
    "strictly_decreasing",
    "write_qrels",
    "write_run",
]
