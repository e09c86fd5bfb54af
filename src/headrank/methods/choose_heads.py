"""Choosing a head set on judged candidates, for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from headrank import __version__
from headrank.data.training_lists import build_lists, by_list
from headrank.engine.extract import collect_features
from headrank.heads.judged import Judged
from headrank.methods.table import CRITERIA
from headrank.prompts.builder import PromptBuilder

if TYPE_CHECKING:
    from headrank.data.collections import Document
    from headrank.data.trec import Qrels, Run
    from headrank.engine.backbone import Backbone
    from headrank.heads.head_set import HeadSet
    from headrank.settings import Settings


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
