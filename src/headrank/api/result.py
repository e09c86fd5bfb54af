"""The ranking of a caller's documents, from what the passes found."""

from __future__ import annotations

import numpy as np

from headrank.api.given import Given
from headrank.api.ranked import RankedDocument
from headrank.api.windows import Ranking, Read
from headrank.explain.rank import Explanations
from headrank.probability.probability import falling


def ranked_documents(
    given: Given, qid: str, ranking: Ranking, explanations: Explanations | None = None
) -> list[RankedDocument]:
    """All documents, best first; those that were not read behind the others.

    qid: under which the query was asked, as in ``explanations``.
    """
    read = {found.place for found in ranking}
    lowest = min((found.score for found in ranking), default=0.0)
    rest = [Read(i, lowest) for i in range(len(given.documents)) if i not in read]
    known = [found.probability for found in ranking if found.probability is not None]
    chances = [*falling(np.array(known)).tolist(), *[None] * (len(given.documents) - len(known))]
    ranked: list[RankedDocument] = []
    for rank, ((i, score, _), chance) in enumerate(zip([*ranking, *rest], chances, strict=True), start=1):
        document = given.documents[i]
        ranked.append(
            RankedDocument(
                i,
                given.ids[i],
                rank,
                min(score, ranked[-1].score) if ranked else score,
                document.text,
                document.title,
                reranked=i in read,
                relevance_score=chance,
                explanation=(explanations or {}).get((qid, document.docid)),
            )
        )
    return ranked
