"""What several commands read: candidates with their texts, from files."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterable, Iterator, Set
from pathlib import Path
from typing import TYPE_CHECKING

from headrank.data.atomic import writing
from headrank.errors import UsageError, shown

if TYPE_CHECKING:
    from headrank.data.collections import Document
    from headrank.data.trec import Qrels, Run


def whole(least: int, most: int = 1_000_000) -> Callable[[str], int]:
    """The type of a whole number in a range, for argparse."""

    def read(text: str) -> int:
        # More digits than any number in the range has are not converted.
        value = int(text) if len(text) < 20 and re.fullmatch(r"[+-]?[0-9]+", text) else None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{shown(text)} is not a whole number from {least} to {most}")
        return value

    return read


count = whole(1)
# Options that name files to read.
_READ = ("run", "queries", "corpus", "documents", "qrels", "heads", "backbone", "probability")


def real(least: float, most: float = 1e9, above: bool = False) -> Callable[[str], float]:
    """The type of a number in a range, for argparse. above: whether the least itself is refused."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or (above and value == least):
            bounds = f"above {least:g} and at most {most:g}" if above else f"from {least:g} to {most:g}"
            raise argparse.ArgumentTypeError(f"{shown(text)} is not a number {bounds}")
        return value

    return read


part = real(0, 1, above=True)


def add_texts(parser: argparse.ArgumentParser) -> None:
    """The options that say where queries and passages are."""
    parser.add_argument("--queries", help="queries: JSON lines (_id, text) or TSV (id, text), plain or .gz")
    parser.add_argument(
        "--corpus", help="passages: JSON lines (_id, text, title) or TSV (id, text or id, title, text)"
    )
    parser.add_argument("--collection", help="instead of both: a folder with corpus.jsonl and queries.jsonl")


def add_candidates(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The options that say where queries, passages and candidates are."""
    add_texts(parser)
    parser.add_argument("--run", required=required, help="candidates: a TREC run, plain or .gz")
    add_order_by(parser)


def add_order_by(parser: argparse.ArgumentParser) -> None:
    """The option that says what orders a run."""
    parser.add_argument(
        "--order-by",
        choices=["score", "rank"],
        help="what orders a run's documents, where its scores and ranks disagree (default: refuse such a run)",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """The options that say how a model is loaded and prompted."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, ... (default: auto)")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16 or float16 (default: auto)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--truncate-words",
        type=count,
        help="cut passages to this many words (default: 300, or as in training)",
    )
    length.add_argument("--truncate-tokens", type=count, help="cut passages to this many tokens instead")


def passage_cut(options: argparse.Namespace) -> dict[str, int | None]:
    """What the options of ``add_model`` say about the length of passages, as keys of ``headrank.prompt``."""
    if options.truncate_words:
        return {"truncate_words": options.truncate_words, "truncate_tokens": None}
    return {"truncate_tokens": options.truncate_tokens} if options.truncate_tokens else {}


def output_file(path: str, options: argparse.Namespace) -> Path:
    """The file to write; its folder is created.

    Raises UsageError if the path is a folder, or a file that ``options`` say is read: it would be lost. RunError if the
    folder cannot be made.
    """
    output = Path(path)
    with writing(output):
        if output.is_dir():
            raise UsageError(f"{output}: is a folder; name the file to write")
        for name, read in _read_files(options):
            # Pipes and devices may be read and written.
            if output.is_file() and read.is_file() and output.samefile(read):
                raise UsageError(f"{output}: is read (--{name}); name another file to write")
        output.parent.mkdir(parents=True, exist_ok=True)
    return output


def _read_files(options: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """The files that the options name for reading, each with its option's name."""
    for name in _READ:
        given = getattr(options, name, None)
        for path in given if isinstance(given, list) else [given]:
            if isinstance(path, str):
                yield name, Path(path)
    if folder := getattr(options, "collection", None):
        for stem in ("corpus.jsonl", "queries.jsonl", "qrels.trec"):
            for file in (stem, f"{stem}.gz"):
                yield "collection", Path(folder, file)


def read_candidates(options: argparse.Namespace) -> tuple[dict[str, str], Run, dict[str, Document]]:
    """Queries, candidates and the candidates' passages, from the files that ``add_candidates`` names.

    Raises InputError for a query of the run without text.
    """
    from headrank.data.trec import read_run

    check_texts(options)
    run = read_run(options.run, options.order_by)
    queries, passages = read_texts(options, documents_of(run))
    check_queries(options, queries, run)
    return queries, run, passages


def documents_of(run: Run) -> set[str]:
    """The ids of all candidates."""
    return {docid for ranked in run.values() for docid, _ in ranked}


def check_queries(options: argparse.Namespace, queries: dict[str, str], qids: Iterable[str]) -> None:
    """InputError names the first of these queries that has no text."""
    from headrank.data.beir import check_query

    for qid in qids:
        if qid in queries:
            check_query(qid, queries[qid], options.queries or options.collection)


def check_texts(options: argparse.Namespace) -> None:
    """Refuse options of ``add_texts`` that do not go together."""
    if bool(options.collection) == bool(options.queries or options.corpus):
        raise UsageError("--queries and --corpus, or --collection instead of both: give one or the other")
    if not options.collection and not (options.queries and options.corpus):
        raise UsageError("--queries and --corpus go together")


def read_texts(
    options: argparse.Namespace, wanted: set[str], judged: Set[str] = frozenset()
) -> tuple[dict[str, str], dict[str, Document]]:
    """Queries and the wanted passages, from the files that ``add_texts`` names and ``check_texts`` has accepted.

    judged: more passages, of which those that are missing are left out: judgements may name documents that a corpus no
    longer holds. For a collection, InputError names wanted passages that are missing.
    """
    from headrank.data.beir import read_documents, read_queries
    from headrank.data.collections import open_collection

    if options.collection:
        collection = open_collection(options.collection, {"source": "local", "path": options.collection})
        passages = collection.lookup(wanted)
        if more := judged - wanted:
            passages |= collection.lookup(more, missing_ok=True)
        return collection.queries(), passages
    queries = read_queries(Path(options.queries))
    found = read_documents(Path(options.corpus), wanted | judged)
    return queries, {document.docid: document for document in found}


def read_judgements(options: argparse.Namespace) -> Qrels | None:
    """The judgements of ``--qrels``, or of the collection if it has any."""
    from headrank.data.trec import read_qrels

    if options.qrels:
        return read_qrels(options.qrels)
    for name in ("qrels.trec", "qrels.trec.gz"):
        if options.collection and (path := Path(options.collection, name)).is_file():
            return read_qrels(path)
    return None
