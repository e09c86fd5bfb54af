"""QRHead: ICR's kernel over retrieval heads found on relevant documents (arXiv 2506.09944).

QRRanker trains the same heads by group contrast (arXiv 2602.12192).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headrank.methods.entry import CUT_BRANCHES, CUT_PASS, Criterion, Frozen, Released, Trained
from headrank.prompts.templates import qrhead_template

if TYPE_CHECKING:
    from headrank.heads.head_set import HeadSet
    from headrank.heads.judged import Judged
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts


def _qrhead(head_set: str, parts: Parts) -> Method:
    from headrank.rerankers.qrhead import qrhead

    return qrhead(parts.heads[head_set], head_set)


def _relevant_mass(judged: Judged) -> HeadSet:
    from headrank.heads.detection import relevant_mass

    return relevant_mass("qrhead", judged)


def _own_ndcg(judged: Judged) -> HeadSet:
    from headrank.heads.detection import own_ndcg

    return own_ndcg("qrhead-ndcg", judged)


PLACE = 20
QRHEAD = Frozen(
    name="qrhead",
    title="QRHead",
    about="heads by their mass on relevant passages (2506.09944)",
    cost=CUT_BRANCHES,
    criterion=Criterion("qrhead", _relevant_mass, count="baselines.qrhead_k"),
    head_set="qrhead",
    build=partial(_qrhead, "qrhead"),
)
QRHEAD_NDCG = Frozen(
    name="qrhead-ndcg",
    title="QRHead (solo nDCG)",
    about="heads by their own nDCG@10 (released detection)",
    cost=CUT_BRANCHES,
    criterion=Criterion("qrhead-ndcg", _own_ndcg, count="baselines.qrhead_k"),
    head_set="qrhead-ndcg",
    build=partial(_qrhead, "qrhead-ndcg"),
)
METHODS = (
    QRHEAD,
    QRHEAD_NDCG,
    Frozen(
        name="qrhead-own",
        title="QRHead (own data)",
        about="QRHead with heads chosen on a collection of its own (2506.09944)",
        cost=CUT_BRANCHES,
        criterion=QRHEAD.criterion,
        head_set="qrhead-own",
        pool="detection",
        build=partial(_qrhead, "qrhead-own"),
        studies_only=True,
    ),
    Released.of(QRHEAD, qrhead_template, "best-last"),
    Trained(
        name="qrranker",
        title="QRRanker",
        about="QRHead's heads, group contrast (2602.12192)",
        cost=CUT_PASS,
        fits=lambda heads, settings: settings.loss.score == "mass",
    ),
    Trained(
        name="qrhead-trained",
        title="QRHead heads, preference-trained",
        about="HeadRank's training on QRHead's heads",
        cost=CUT_PASS,
        fits=lambda heads, settings: heads.method == "qrhead",
    ),
)
