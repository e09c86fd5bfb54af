"""A comparison as text: the verdict, then what may have caused differences, then the differences themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from headrank.provenance.comparison.folders import Comparison
from headrank.provenance.comparison.origins import Difference

_CAUSES = {
    "configuration": "Configuration",
    "code": "Code",
    "models": "Models",
    "collections": "Collections",
    "software": "Software",
}
_KINDS = {"metrics": "Metrics", "tables": "Tables", "runs": "Runs", "heads": "Head sets"}


def lines_of(comparison: Comparison, limit: int | None = 10) -> Iterator[str]:
    """Lines to print, what matters most first; ``limit`` entries of each list, all with None."""
    yield f"first:  {comparison.one}"
    yield f"second: {comparison.other}"
    yield ""
    yield _verdict(comparison)
    origins = comparison.origins
    causes = {title: getattr(origins, name) for name, title in _CAUSES.items()}
    if any(causes.values()):
        yield ""
        yield "Where they come from (first -> second)"
        for title, found in causes.items():
            yield from _listed(title, [_told(difference) for difference in found], limit)
    elif not comparison.same:
        yield ""
        yield "Code, configuration, models, collections and software are the same on record."
    if not comparison.same:
        yield ""
        yield "What differs"
        for kind, title in _KINDS.items():
            entries = [f"{name}: {what}" for name, what in comparison.differing[kind]]
            yield from _listed(f"{title}, {len(entries)} of {comparison.counts[kind]}", entries, limit)
        others = comparison.differing["other files"]
        entries = [f"{place}: {number}" for place, number in _by_folder([name for name, _ in others])]
        title = f"Other files, {len(others)} of {comparison.counts['other files']}, by folder"
        # With --all every file is named.
        yield from _listed(title, [name for name, _ in others] if limit is None else entries, limit)
        for side, names in (("first", comparison.only_one), ("second", comparison.only_other)):
            yield from _listed(f"Only in the {side}, {len(names)} files", list(names), limit)
    aside = [_told(difference) for difference in (*origins.machine, *origins.time)]
    if aside:
        yield ""
        yield from _listed("Machine and time, which do not count", aside, limit)


def _verdict(comparison: Comparison) -> str:
    if comparison.same:
        return f"The results are the same: all {sum(comparison.counts.values())} files, times aside."
    parts = [
        f"{len(comparison.differing[kind])} of {comparison.counts[kind]} {title.lower()}"
        for kind, title in (*_KINDS.items(), ("other files", "other files"))
        if comparison.differing[kind]
    ]
    alone = len(comparison.only_one) + len(comparison.only_other)
    parts += [f"{alone} files on one side only"] if alone else []
    return f"The results differ: {', '.join(parts)}."


def _listed(title: str, entries: Sequence[str], limit: int | None) -> Iterator[str]:
    if not entries:
        return
    yield f"  {title}"
    for entry in entries[:limit]:
        yield f"    {entry}"
    if limit is not None and len(entries) > limit:
        yield f"    ... and {len(entries) - limit} more (--all shows them)"


def _told(difference: Difference) -> str:
    return f"{difference.key}: {_short(difference.one)} -> {_short(difference.other)}"


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    # Of a digest or a commit, enough to tell two apart.
    if len(text) in (40, 64) and set(text) <= set("0123456789abcdef"):
        return text[:12]
    return text if len(text) <= 80 else f"{text[:77]}..."


def _by_folder(names: Sequence[str]) -> list[tuple[str, int]]:
    counts = Counter(name.split("/")[0] + "/" if "/" in name else name for name in names)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
