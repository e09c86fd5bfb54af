"""CompRank: independent, compressed passages (arXiv 2606.11700), pointing from the layer that ranks best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrank.methods.entry import CUT_PASS, Criterion, Trained

if TYPE_CHECKING:
    from headrank.heads.head_set import HeadSet
    from headrank.heads.judged import Judged


def _best_layer(judged: Judged) -> HeadSet:
    from headrank.heads.detection import best_layer

    return best_layer("best-layer", judged)


PLACE = 30
METHODS = (
    Trained(
        name="comprank",
        title="CompRank",
        about="independent, compressed passages (2606.11700)",
        cost=CUT_PASS,
        fits=lambda heads, settings: settings.encoding.documents == "independent",
        criterion=Criterion("best-layer", _best_layer),
    ),
)
