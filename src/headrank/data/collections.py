"""Documents, queries and judgements behind one interface, from local files or from ``ir_datasets``.

Local files follow BEIR: ``corpus.jsonl`` and ``queries.jsonl`` with one JSON object a line (keys ``_id``,
``text`` and, for documents, an optional ``title``) and ``qrels.trec``; each may be compressed (``.gz``).
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from headrank.data.atomic import whole_file
from headrank.data.beir import Document, read_documents, read_queries, whole
from headrank.data.identifiers import check_id
from headrank.data.run_order import by_score
from headrank.data.trec import Qrels, Run, add_judgement, read_qrels
from headrank.errors import InputError, NotFoundError, UsageError

__all__ = [
    "Collection",
    "Document",
    "IrDatasetsCollection",
    "LocalCollection",
    "open_collection",
    "read_passages",
    "write_passages",
]


class Collection(Protocol):
    """A named collection. Nothing is read before it is needed."""

    @property
    def name(self) -> str:
        """The name under which the configuration knows it."""

    def documents(self) -> Iterator[Document]:
        """All documents, in the order of the collection."""

    def queries(self) -> dict[str, str]:
        """qid -> query text, in the order of the collection."""

    def qrels(self) -> Qrels:
        """All judgements."""

    def lookup(self, docids: Iterable[str], missing_ok: bool = False) -> dict[str, Document]:
        """The documents of these ids, in the order asked for.

        InputError names ids that are not there, unless ``missing_ok``, which leaves them out.
        """

    def official(self) -> Run:
        """The candidates that the collection's authors provide, best first; InputError if there are none."""


def open_collection(name: str, spec: Mapping[str, Any]) -> Collection:
    """Open the collection that ``spec`` describes.

    ``{"source": "local", "path": DIRECTORY}`` or ``{"source": "ir_datasets", "id": IDENTIFIER}``; other keys are not
    read here. Raises InputError on another source or a missing key, a directory that does not exist, and an identifier
    that ``ir_datasets`` does not know.
    """
    source = spec.get("source")
    if source == "local":
        return LocalCollection(name, Path(_required(name, spec, "path")).expanduser())
    if source == "ir_datasets":
        return IrDatasetsCollection(name, _required(name, spec, "id"))
    raise UsageError(f"collection {name}: unknown source {source!r}; known: local, ir_datasets")


def _required(name: str, spec: Mapping[str, Any], key: str) -> str:
    value = spec.get(key)
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise UsageError(f"collection {name}: key {key!r} is missing (source: {spec['source']})")
    return os.fspath(value)


class LocalCollection:
    """A directory of BEIR files; without ``corpus.jsonl`` it still gives queries and judgements."""

    def __init__(self, name: str, path: Path) -> None:
        if not path.is_dir():
            raise NotFoundError(
                f"collection {name}: {path} is not a directory; name the folder that holds corpus.jsonl"
            )
        self.name = name
        self._path = path

    def _file(self, name: str) -> Path:
        for path in (self._path / name, self._path / f"{name}.gz"):
            if path.is_file():
                return path
        raise NotFoundError(f"collection {self.name}: {self._path / name} does not exist")

    def documents(self) -> Iterator[Document]:
        return read_documents(self._file("corpus.jsonl"))

    def queries(self) -> dict[str, str]:
        return read_queries(self._file("queries.jsonl"))

    def qrels(self) -> Qrels:
        return read_qrels(self._file("qrels.trec"))

    def lookup(self, docids: Iterable[str], missing_ok: bool = False) -> dict[str, Document]:
        """One pass over the corpus that keeps only what is asked for."""
        wanted = list(dict.fromkeys(docids))
        path = self._file("corpus.jsonl")
        found = {document.docid: document for document in read_documents(path, set(wanted))}
        return _in_order(wanted, found, str(path), missing_ok)

    def official(self) -> Run:
        raise UsageError(
            f"collection {self.name}: local files have no official candidates; name a run with run:"
        )


class IrDatasetsCollection:
    """A collection of the ``ir_datasets`` catalogue, which downloads its files itself when they are needed."""

    def __init__(self, name: str, identifier: str) -> None:
        import ir_datasets

        self.name = name
        self._id = identifier
        try:
            self._dataset: Any = ir_datasets.load(identifier)
        except KeyError:
            near = difflib.get_close_matches(identifier, list(ir_datasets.registry), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise NotFoundError(f"collection {name}: ir_datasets has no {identifier!r}{hint}") from None

    def documents(self) -> Iterator[Document]:
        self._needs("docs")
        with self._fetching():
            # Repeated ids are not looked for here: a set of nine million ids takes as much memory as an index.
            yield from map(_document, self._dataset.docs_iter())

    def queries(self) -> dict[str, str]:
        self._needs("queries")
        with self._fetching():
            return {record.query_id: whole(_body(record)) for record in self._dataset.queries_iter()}

    def qrels(self) -> Qrels:
        self._needs("qrels")
        qrels: Qrels = {}
        with self._fetching():
            for record in self._dataset.qrels_iter():
                add_judgement(qrels, record.query_id, record.doc_id, int(record.relevance), self._id)
        return qrels

    def lookup(self, docids: Iterable[str], missing_ok: bool = False) -> dict[str, Document]:
        """Through the document store of the collection, which reads only the ids asked for."""
        self._needs("docs")
        wanted = list(dict.fromkeys(docids))
        with self._fetching():
            records = self._dataset.docs_store().get_many(wanted)
            found = {docid: _document(record) for docid, record in records.items()}
        return _in_order(wanted, found, self._id, missing_ok)

    def official(self) -> Run:
        self._needs("scoreddocs")
        scores: dict[str, dict[str, float]] = {}
        with self._fetching():
            for record in self._dataset.scoreddocs_iter():
                scores.setdefault(record.query_id, {})[record.doc_id] = float(record.score)
        flat = [qid for qid, found in scores.items() if len(found) > 1 and len({*found.values()}) == 1]
        if flat:
            raise InputError(
                f"collection {self.name}: the official candidates of {self._id} have no order (query {flat[0]}: all "
                "scores are equal); use bm25 or a run"
            )
        return {qid: by_score(found) for qid, found in scores.items()}

    def store(self) -> int:
        """Download the documents and build their store, if that is not done yet; returns the number of documents."""
        self._needs("docs")
        with self._fetching():
            self._dataset.docs_store().build()
            return int(self._dataset.docs_count())

    def _needs(self, what: str) -> None:
        if not self._dataset.has(what):
            raise NotFoundError(f"collection {self.name}: {self._id} of ir_datasets has no {what}")

    @contextlib.contextmanager
    def _fetching(self) -> Iterator[None]:
        # Failed downloads, wrong checksums and full disks arrive as OSError, RuntimeError or plain ValueError.
        try:
            yield
        except InputError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            kind = type(error).__name__
            raise NotFoundError(
                f"{self._id}: ir_datasets could not read it ({kind}: {reason}); missing files are "
                "downloaded by `snakemake download`, which needs a network"
            ) from error


def read_passages(path: str | os.PathLike[str]) -> dict[str, Document]:
    """Read the passages that ``write_passages`` wrote: docid -> Document, in the order of the file."""
    return {document.docid: document for document in read_documents(Path(path))}


def write_passages(path: str | os.PathLike[str], documents: Iterable[Document]) -> None:
    """Write documents as JSON lines (``_id``, ``title``, ``text``), whole or not at all.

    Raises InputError on ids that are repeated or hold blanks.
    """
    seen: set[str] = set()
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        for document in documents:
            check_id(document.docid, os.fspath(path), "document id")
            if document.docid in seen:
                raise InputError(f"{path}: document id {document.docid} appears twice")
            seen.add(document.docid)
            record = {"_id": document.docid, "title": whole(document.title), "text": whole(document.text)}
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def _document(record: Any) -> Document:
    return Document(record.doc_id, whole(getattr(record, "title", None) or ""), whole(_body(record)))


def _body(record: Any) -> str:
    # Most record types have ``text``; the others define themselves which of their fields make up the text.
    text = record.text if hasattr(record, "text") else record.default_text()
    return text or ""


def _in_order(
    wanted: list[str], found: Mapping[str, Document], source: str, missing_ok: bool
) -> dict[str, Document]:
    missing = [docid for docid in wanted if docid not in found]
    if missing and not missing_ok:
        examples = ", ".join(missing[:5])
        raise InputError(
            f"{source}: {len(missing)} of {len(wanted)} documents are not in the corpus, such as {examples}; "
            "the run and the corpus do not belong together"
        )
    return {docid: found[docid] for docid in wanted if docid in found}
