"""Rerank what TIREx gives a re-ranker: ``rerank.jsonl.gz`` in one folder, ``run.txt`` in another (docs/export.md).

    rerank.py --input FOLDER --output FOLDER OPTIONS-OF-HEADRANK-RERANK

TIRA names the folders in the variables ``inputDataset`` and ``outputDir``, which are the defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrank.cli import main as headrank
from headrank.data.json_files import parse_json
from headrank.data.lines import open_lines
from headrank.data.trec import write_run
from headrank.errors import InputError, NotFoundError, one_line

NAMES = ("rerank.jsonl.gz", "rerank.jsonl")
TEXTS = ("qid", "query", "docno", "text")


def rows(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, row) of the input; InputError names the line that is none."""
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        raise NotFoundError(f"{folder}: has no {' or '.join(NAMES)}; it is no input of a re-ranker")
    for number, line in open_lines(path):
        where = f"{path}:{number}"
        try:
            row = parse_json(line)
        except ValueError as error:
            raise InputError(f"{where}: no JSON ({error})") from None
        if not isinstance(row, dict):
            raise InputError(f"{where}: not a JSON object")
        # Some data sets have numbers for ids.
        row |= {key: str(row[key]) for key in ("qid", "docno") if type(row.get(key)) is int}
        if lacking := [key for key in TEXTS if not isinstance(row.get(key), str)]:
            raise InputError(f"{where}: {lacking[0]}: expected a text")
        if not isinstance(row.get("rank"), int | float) or isinstance(row["rank"], bool):
            raise InputError(f"{where}: rank: expected a number")
        yield where, row


def unpack(source: Path, target: Path) -> None:
    """Write the input as a collection and a run: corpus.jsonl, queries.jsonl and run.trec."""
    queries: dict[str, str] = {}
    texts: dict[str, str] = {}
    ranks: dict[str, list[tuple[float, str]]] = {}
    for where, row in rows(source):
        for known, key, text in ((queries, row["qid"], row["query"]), (texts, row["docno"], row["text"])):
            if known.setdefault(key, text) != text:
                raise InputError(f"{where}: {key} has another text than in a line before")
        ranks.setdefault(row["qid"], []).append((row["rank"], row["docno"]))
    for name, known in (("queries", queries), ("corpus", texts)):
        lines = (json.dumps({"_id": key, "text": text}) + "\n" for key, text in known.items())
        (target / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    run = {qid: [(docno, -rank) for rank, docno in sorted(found)] for qid, found in ranks.items()}
    write_run(target / "run.trec", run, "first-stage")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", default=os.environ.get("inputDataset"))  # noqa: SIM112
    parser.add_argument("--output", default=os.environ.get("outputDir"))  # noqa: SIM112
    options, more = parser.parse_known_args(arguments)
    if not (options.input and options.output):
        parser.error("--input and --output, or inputDataset and outputDir, name the folders")
    with tempfile.TemporaryDirectory(prefix="headrank-tirex-") as folder:
        try:
            unpack(Path(options.input), Path(folder))
        except InputError as error:
            print(f"error: {one_line(error)}", file=sys.stderr)
            return error.exit_status
        given = (
            "--collection",
            folder,
            "--run",
            f"{folder}/run.trec",
            "--output",
            f"{options.output}/run.txt",
        )
        return headrank(["rerank", *given, *more])


if __name__ == "__main__":
    sys.exit(main())
