"""Training lists (R6): per query, samples of judged documents in random order, filled up with context."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from headrank.errors import InputError, UsageError
from headrank.settings import ListSettings

if TYPE_CHECKING:
    from headrank.data.collections import Document
    from headrank.data.trec import Qrels, Run

logger = logging.getLogger(__name__)

UNJUDGED = -1
NOT_RETRIEVED = -1


def build_lists(
    queries: Mapping[str, str],
    qrels: Qrels,
    run: Run,
    passages: Mapping[str, Document],
    settings: ListSettings,
    samples: int,
    seed: int,
    exclude: Collection[str] = (),
) -> pd.DataFrame:
    """``samples`` lists for every judged query, one row per document.

    Each list takes up to ``per_grade`` random documents of each grade above 0, then the grade-0 documents that the
    first stage ranks highest (``irrelevant: random`` draws them from all that are judged), then (``fill_unjudged``)
    unjudged candidates in first-stage order, and then random grade-0 documents that the first stage did not find, up to
    ``size``. With ``documents: candidates`` it takes the first stage's candidates instead, judged or not: the first
    sample takes the best of them, as a test list does, and later samples take a random part of the first ``pool``. The
    order is a random permutation, or with ``order: first-stage`` the first stage's, with documents that it did not find
    at the end. With ``unjudged: irrelevant`` unjudged documents have grade 0. With ``spread`` each list's size is
    drawn, at most ``spread`` away from ``size``. ``dedupe`` keeps one document of each normalised text. Queries whose
    text is in ``exclude``, whatever its case and blanks, are left out and named in the log (those that are test queries
    too, see ``leakage``), and so are samples whose judged documents all have the same grade.

    Columns: list_id, qid, sample, position (from 0), docid, grade (-1 = unjudged), rank (first stage, from 0; -1 = not
    retrieved). The same seed gives the same lists, whatever other queries there are.
    """
    if settings.size - settings.spread < 2:
        raise UsageError(
            f"lists.spread: {settings.spread} would make lists of fewer than 2 documents at lists.size {settings.size}"
        )
    excluded = {normalise(text) for text in exclude}
    rows: list[tuple[int, str, int, int, str, int, int]] = []
    list_id = left_out = 0
    for qid in sorted(qrels):
        if qid not in queries:
            raise InputError(f"training query {qid!r} has judgements but no text")
        if normalise(queries[qid]) in excluded:
            logger.warning("query %s is left out: %r", qid, queries[qid])
            left_out += 1
            continue
        ranks = {docid: rank for rank, (docid, _) in enumerate(run.get(qid, []))}
        for sample in range(samples):
            # Seeded by the query's own id, so that adding or leaving out a query changes no other's lists.
            rng = np.random.default_rng([seed, zlib.crc32(qid.encode()), sample])
            size = settings.size
            if settings.spread:
                size += int(rng.integers(-settings.spread, settings.spread + 1))
            room = _List(passages, size, settings.dedupe)
            if settings.documents == "candidates":
                chosen = _candidates(qrels[qid], ranks, room, settings.pool, sample, rng)
            else:
                chosen = _choose(qrels[qid], ranks, room, settings, rng)
            if settings.unjudged == "irrelevant":
                chosen = [(docid, max(grade, 0)) for docid, grade in chosen]
            if len({grade for _, grade in chosen if grade != UNJUDGED}) < 2:
                continue
            shuffled = [chosen[i] for i in rng.permutation(len(chosen))]
            if settings.order == "first-stage":
                shuffled.sort(key=lambda document: ranks.get(document[0], len(ranks)))
            for position, (docid, grade) in enumerate(shuffled):
                rows.append((list_id, qid, sample, position, docid, grade, ranks.get(docid, NOT_RETRIEVED)))
            list_id += 1
    if not rows:
        without = f", and {left_out} are left out" if left_out else ""
        raise InputError(
            f"training lists: no query has judged documents of two grades (of {len(qrels)}{without})"
        )
    return pd.DataFrame(rows, columns=["list_id", "qid", "sample", "position", "docid", "grade", "rank"])


def _choose(
    grades: Mapping[str, int],
    ranks: Mapping[str, int],
    chosen: _List,
    settings: ListSettings,
    rng: np.random.Generator,
) -> list[tuple[str, int]]:
    for level in sorted({g for g in grades.values() if g > 0}, reverse=True):
        members = sorted(docid for docid, grade in grades.items() if grade == level)
        taken = 0
        for i in rng.permutation(len(members)):
            if taken == settings.per_grade:
                break
            taken += chosen.take(members[i], level)
    irrelevant = sorted(docid for docid, grade in grades.items() if grade <= 0)
    retrieved = sorted((d for d in irrelevant if d in ranks), key=lambda d: ranks[d])
    others = [d for d in irrelevant if d not in ranks]
    if settings.irrelevant == "random":
        retrieved, others = [], irrelevant
    context = [docid for docid in ranks if docid not in grades] if settings.fill_unjudged else []
    drawn = [others[i] for i in rng.permutation(len(others))]
    hard, easy = (retrieved, drawn) if settings.irrelevant == "hardest" else (drawn, [])
    for docids, grade in ((hard, 0), (context, UNJUDGED), (easy, 0)):
        for docid in docids:
            chosen.take(docid, grade)
    return chosen.taken


def _candidates(
    grades: Mapping[str, int],
    ranks: Mapping[str, int],
    chosen: _List,
    pool: int,
    sample: int,
    rng: np.random.Generator,
) -> list[tuple[str, int]]:
    best = sorted(ranks, key=lambda docid: ranks[docid])[:pool]
    drawn = best if sample == 0 else [best[i] for i in rng.permutation(len(best))]
    for docid in drawn:
        # Negative grades are judged irrelevant; -1 among the rows means unjudged.
        chosen.take(docid, max(grades[docid], 0) if docid in grades else UNJUDGED)
    return chosen.taken


class _List:
    """A list under construction: at most ``size`` documents that have a text; with ``dedupe``, one of each text."""

    def __init__(self, passages: Mapping[str, Document], size: int, dedupe: bool) -> None:
        self.passages, self.size, self.dedupe = passages, size, dedupe
        self.taken: list[tuple[str, int]] = []
        self._seen: set[str] = set()

    def take(self, docid: str, grade: int) -> bool:
        """Take a document if there is room for it; whether it was taken."""
        if len(self.taken) == self.size or docid not in self.passages:
            return False
        document = self.passages[docid]
        text = normalise(f"{document.title} {document.text}") if self.dedupe else docid
        # A near-duplicate with another grade is label noise, not a preference.
        if text in self._seen:
            return False
        self._seen.add(text)
        self.taken.append((docid, grade))
        return True


def normalise(text: str) -> str:
    """Lower case and single blanks: what counts as the same text."""
    return " ".join(text.lower().split())


def subset_queries(lists: pd.DataFrame, queries: int | None, seed: int) -> pd.DataFrame:
    """The lists of the first ``queries`` training queries in a seeded order, so that smaller sets are nested."""
    if queries is None:
        return lists
    qids = np.array(sorted(lists["qid"].unique()))
    if queries > len(qids):
        raise UsageError(f"training.queries: {queries} asked for, {len(qids)} queries have training lists")
    kept = np.random.default_rng([seed, 211]).permutation(qids)[:queries]
    return lists[lists["qid"].isin(kept)]


def by_list(frame: pd.DataFrame) -> dict[int, pd.DataFrame]:
    """Split a frame by its ``list_id``, in list order, each part ordered by prompt position where it has one."""
    if "position" in frame:
        frame = frame.sort_values(["list_id", "position"], kind="stable")
    return {cast(int, key): part for key, part in frame.groupby("list_id", sort=True)}
