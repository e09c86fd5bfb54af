"""The queries of a collection that count: those with judgements."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from headrank.data.beir import check_query
from headrank.data.trec import Qrels
from headrank.errors import InputError

logger = logging.getLogger(__name__)


def judged_only(
    name: str, queries: Mapping[str, str], qrels: Qrels, expected: int | None = None
) -> tuple[dict[str, str], Qrels]:
    """The judged queries and their judgements, in the order of the queries.

    A metric's mean is taken over them; other queries would only cost time. expected: how many the configuration says
    there are. Raises InputError, naming the collection, if no query is judged, their number differs from ``expected``,
    or a judged query has no text.
    """
    judged = [qid for qid in queries if qid in qrels]
    if not judged:
        raise InputError(
            f"collection {name}: no query has judgements; queries and qrels do not belong together"
        )
    if expected is not None and len(judged) != expected:
        raise InputError(
            f"collections.{name}.judged: {expected} judged queries are expected, {len(judged)} are there"
        )
    for qid in judged:
        check_query(qid, queries[qid], f"collection {name}")
    logger.info("%s: %d of %d queries are judged", name, len(judged), len(queries))
    return {qid: queries[qid] for qid in judged}, {qid: qrels[qid] for qid in judged}
