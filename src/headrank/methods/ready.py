"""Methods ready to use, for the command line: a backbone loaded as deep as the method needs, its heads, its prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from headrank import __version__
from headrank.data.training_lists import build_lists, by_list
from headrank.engine.backbone import Backbone, identify, load_backbone
from headrank.engine.extract import collect_features
from headrank.errors import UsageError
from headrank.heads.head_set import HeadSet
from headrank.heads.judged import Judged
from headrank.heads.routing.router import Router
from headrank.methods.build import build, released, rerank_released
from headrank.methods.table import CRITERIA, FROZEN, head_sets
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers.candidates import Candidates
from headrank.rerankers.parts import Parts
from headrank.rerankers.together import rerank_together
from headrank.settings import Settings

if TYPE_CHECKING:
    from headrank.data.collections import Document
    from headrank.data.trec import Qrels, Run


def rank_untrained(
    name: str,
    model: str,
    candidates: Sequence[Candidates],
    settings: Settings,
    *,
    heads: str | Path | None = None,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    benchmark: str = "",
) -> pd.DataFrame:
    """Rank with an attention method that needs no training: a frame as from ``rerank_together``.

    heads: file of the head set, or the router, for methods that have one. benchmark: BEIR's name, for ICR's
    faithful form.
    """
    chosen: HeadSet | None = None
    if name not in FROZEN:
        raise UsageError(f"--method {name}: not a method on a frozen backbone")
    router = Router.load(heads) if heads is not None and FROZEN[name].routed else None
    if heads is not None:
        chosen = router.heads if router else HeadSet.load(heads)
        chosen.fits(identify(model, revision), str(heads))
    depth = chosen.depth if chosen else None
    backbone = load_backbone(model, depth, dtype, device, revision)
    if router:
        router.fits(backbone, str(heads))
    sets = {needed: chosen for needed in head_sets([name]) if chosen}
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    parts = Parts(backbone, builder, sets, settings, router)
    if released([name]):
        return rerank_released([name], parts, candidates, benchmark)[name]
    (method,) = build([name], parts)
    order = settings.candidates.order
    return rerank_together(backbone, builder, [method], candidates, order)[method.name]


def choose_heads(
    criterion: str,
    backbone: Backbone,
    queries: Mapping[str, str],
    qrels: Qrels,
    run: Run,
    passages: Mapping[str, Document],
    settings: Settings,
    seed: int = 0,
) -> HeadSet:
    """A head set by one of ``CRITERIA``, on lists of judged candidates (R6).

    Judged documents without a text in ``passages`` are left out, as are queries whose lists have one grade.
    """
    lists = build_lists(queries, qrels, run, passages, settings.lists, settings.selection.permutations, seed)
    prompts = {
        str(i): (queries[str(group["qid"].iloc[0])], [passages[docid] for docid in group["docid"]])
        for i, group in by_list(lists).items()
    }
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    features = collect_features(backbone, builder, prompts, settings.query_span, settings.document_span)
    provenance: dict[str, Any] = {
        "headrank": __version__,
        "queries": int(lists["qid"].nunique()),
        "seed": seed,
    }
    return CRITERIA[criterion].choose(Judged(features, lists, settings, provenance))
