"""Downloads files of ``ir_datasets`` once and checks their counts, because its cache never looks at a file again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from headrank.data.collections import IrDatasetsCollection
from headrank.errors import InputError


def fetch_collection(name: str, identifier: str, official: bool = False) -> dict[str, Any]:
    """Download all that a collection has and compare its counts with the catalogue's.

    Documents go into the collection's store, from which single ones can be taken; ``official`` fetches its candidates
    too. Returns what was found: id, corpus (the id under which others share its documents), documents, queries,
    judgements, grades (grade -> judgements) and, if fetched, candidates. Raises InputError when a download fails, and
    when a count is not the catalogue's, as happens with a damaged or only partly unpacked file.
    """
    import ir_datasets

    collection = IrDatasetsCollection(name, identifier)
    dataset: Any = ir_datasets.load(identifier)
    expected = dataset.metadata()
    qrels = collection.qrels()
    found: dict[str, Any] = {
        "id": identifier,
        "corpus": ir_datasets.docs_parent_id(identifier),
        "queries": len(collection.queries()),
        "judgements": sum(map(len, qrels.values())),
        "grades": _grades(Counter(grade for grades in qrels.values() for grade in grades.values())),
    }
    if official:
        found["candidates"] = sum(map(len, collection.official().values()))
    found["documents"] = collection.store()
    stated = expected.get("qrels", {})
    counts = {
        "documents": expected.get("docs", {}).get("count"),
        "queries": expected.get("queries", {}).get("count"),
        "judgements": stated.get("count"),
        "grades": stated.get("fields", {}).get("relevance", {}).get("counts_by_value"),
        "candidates": expected.get("scoreddocs", {}).get("count"),
    }
    for key, count in counts.items():
        right = _grades(count) if isinstance(count, Mapping) else count
        if key in found and right is not None and found[key] != right:
            raise InputError(
                f"collection {name}: {identifier} has {found[key]} {key}, but its catalogue says {right}; one of its "
                f"files is damaged or only partly unpacked: remove its folder under {ir_datasets.util.home_path()} and "
                "download again"
            )
    return found


def _grades(counts: Mapping[Any, int]) -> dict[str, int]:
    return {str(grade): counts[grade] for grade in sorted(counts, key=int)}
