"""ICR, Selective-ICR, QRHead and CoRe as the authors' released code runs them: wording, order and spans.

Each has a prompt of its own, and so a forward pass of its own; the comparison on one prompt is the other, fair form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from headrank.engine.backbone import Backbone
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import PromptBuilder
from headrank.prompts.templates import faithful_wording
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.core import core
from headrank.rerankers.icr import icr, selective_icr
from headrank.rerankers.method import Method
from headrank.rerankers.qrhead import qrhead
from headrank.rerankers.together import rerank_together
from headrank.settings import PromptSettings

# Best next to the query for ICR and QRHead, retriever order for CoRe.
ORDERS = {"icr": "best-last", "selective-icr": "best-last", "qrhead": "best-last", "core": "best-first"}


def rerank_faithful(
    names: Sequence[str],
    backbone: Backbone,
    heads: Mapping[str, HeadSet],
    candidates: Sequence[Candidates],
    settings: PromptSettings,
    benchmark: str = "",
    tokens_per_pass: int = 0,
) -> dict[str, pd.DataFrame]:
    """Rankings by name; names: "icr-faithful", "selective-icr-faithful", "qrhead-faithful" or "core-faithful".

    heads: head sets by name, those of the methods asked for at least. settings: its chat family is used; words,
    titles and instruction are the method's own. benchmark: by BEIR's name; ICR asks a question
    on some of them.
    """
    frames = {}
    for name in names:
        kind = name.removesuffix("-faithful")
        method = _method(kind, backbone, heads)
        builder = PromptBuilder(
            backbone.tokenizer, settings, faithful_wording(kind, settings.family, benchmark)
        )
        ranked = rerank_together(backbone, builder, [method], candidates, ORDERS[kind], tokens_per_pass)
        frames[name] = ranked[method.name]
    return frames


def _method(kind: str, backbone: Backbone, heads: Mapping[str, HeadSet]) -> Method:
    if kind == "qrhead":
        return qrhead(heads["qrhead"])
    if kind == "selective-icr":
        return selective_icr(heads["selective-icr"])
    if kind == "core":
        return core(heads["core"], faithful=True)
    return icr(backbone)
