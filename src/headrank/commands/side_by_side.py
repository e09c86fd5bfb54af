"""Rankings of one query side by side, as text for people: a line per passage, with the rank that each run gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrank.commands.terminal import clipped

_MOST_MARKS = 5


def side_by_side(
    rankings: Mapping[str, Sequence[str]],
    texts: Mapping[str, str],
    grades: Mapping[str, int] | None,
    highest: int,
    top: int,
    width: int,
) -> list[str]:
    """One line per passage that is among the first ``top`` of any run, under a line of the runs' labels.

    rankings: label -> docids, best first; lines are in the order of the last run, then of the one before it. texts:
    docid -> text, of which a line shows what fits into ``width`` columns (``clipped``). grades: docid -> grade, at
    most ``highest``; None where the query is not judged. A missing rank is a dash.
    """
    ranks = {
        label: {docid: rank for rank, docid in enumerate(ranked, 1)} for label, ranked in rankings.items()
    }
    wanted = {docid for ranked in rankings.values() for docid in ranked[:top]}
    # Sorting is stable: what the last run does not have stays in the order of the runs before it.
    rows = sorted(wanted)
    for place in ranks.values():
        rows.sort(key=lambda docid: place.get(docid, len(place) + 1))
    columns = {label: max(len(label), 2) for label in ranks}
    lines = ["  ".join(label.rjust(size) for label, size in columns.items())]
    for docid in rows:
        cells = [str(ranks[label].get(docid, "–")).rjust(size) for label, size in columns.items()]
        if grades is not None:
            cells.append(marks(grades.get(docid), highest))
        cells.append(clipped(texts[docid], width - len("  ".join([*cells, ""]))))
        lines.append("  ".join(cells).rstrip())
    return lines


def values_below(values: Mapping[str, float], what: str) -> str:
    """One value per run, to stand under the columns of ``side_by_side``."""
    cells = [f"{value:.2f}".removeprefix("0").rjust(max(len(label), 2)) for label, value in values.items()]
    return "  ".join([*cells, what])


def marks(grade: int | None, highest: int) -> str:
    """``●●○`` for grade 2 of 3; the number where there are more than five grades; a dash for no judgement."""
    if highest > _MOST_MARKS:
        return ("–" if grade is None else str(grade)).rjust(len(str(highest)))
    if grade is None:
        return "–".ljust(max(highest, 1))
    return ("●" * max(grade, 0)).ljust(max(highest, 1), "○")
