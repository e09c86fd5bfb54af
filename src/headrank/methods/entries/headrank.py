"""HeadRank (arXiv 2604.17237), and its heads before training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrank.methods.entry import CUT_PASS, Criterion, Frozen, Trained

if TYPE_CHECKING:
    from headrank.heads.head_set import HeadSet
    from headrank.heads.judged import Judged
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts

TRAINED, UNTRAINED = "headrank", "headrank-untrained"


def _untrained(parts: Parts) -> Method:
    from headrank.rerankers.headrank import headrank

    return headrank(parts.heads[TRAINED], parts.settings, UNTRAINED)


def _entropy_regularised(judged: Judged) -> HeadSet:
    from headrank.heads.selection import select_headrank

    settings = judged.settings
    return select_headrank(
        judged.features, judged.lists, settings.selection, settings.mass, provenance=dict(judged.provenance)
    )


PLACE = 90
METHODS = (
    Frozen(
        name=UNTRAINED,
        title="HeadRank (untrained)",
        about="HeadRank's heads before training (2604.17237)",
        cost=CUT_PASS,
        criterion=Criterion(TRAINED, _entropy_regularised, ("selection", "mass"), "selection.k"),
        head_set=TRAINED,
        build=_untrained,
    ),
    Trained(
        name=TRAINED,
        title="HeadRank",
        about="preference-trained heads (2604.17237)",
        cost=CUT_PASS,
    ),
)
