"""Generative and supervised references by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headrank.generative.rerank import rerank_generative
from headrank.methods.table import ASKED

if TYPE_CHECKING:
    import pandas as pd

    from headrank.engine.backbone import Backbone
    from headrank.generative.settings import GenerativeSettings
    from headrank.rerankers.candidates import Candidates


def rerank_asked(
    name: str, backbone: Backbone, candidates: Sequence[Candidates], settings: GenerativeSettings
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ranking of a method that asks the model, and its calls, as from ``headrank.generative.rerank``."""
    return rerank_generative(name, ASKED[name].ask, backbone, candidates, settings)
