"""Kinds of methods, in the order in which they are compared, and the methods of each kind."""

from __future__ import annotations

from headrank.evaluation.bounds import BEST_ORDER, RANDOM_ORDER

FIRST_STAGE = "bm25"
UNTRAINED = "headrank-untrained"
TRAINED = "headrank"
FAITHFUL = "-faithful"

KINDS = {
    "lexical": "First stage",
    "frozen": "Decoding-free, frozen",
    "trained": "Decoding-free, trained",
    "generative": "Generative, zero-shot",
    "supervised": "Supervised",
}

METHODS_BY_KIND: dict[str, dict[str, str]] = {
    "lexical": {
        FIRST_STAGE: "BM25",
        RANDOM_ORDER: "its candidates in random order",
        BEST_ORDER: "its candidates in the best order",
    },
    "frozen": {
        "icr": "ICR",
        "icr-query-last": "ICR, no calibration",
        "icr-last-token": "ICR, last token",
        "icr-null-only": "ICR, null query alone",
        "icr-last-token-calibrated": "ICR, last token, calibrated",
        "icr-faithful": "ICR (as released)",
        "selective-icr": "Selective-ICR",
        "selective-icr-faithful": "Selective-ICR (as released)",
        "qrhead": "QRHead",
        "qrhead-ndcg": "QRHead (solo nDCG)",
        "qrhead-own": "QRHead (own data)",
        "qrhead-faithful": "QRHead (as released)",
        "core": "CoRe",
        "core-own": "CoRe (own data)",
        "core-pruned": "CoRe, pruned layers",
        "core-faithful": "CoRe (as released)",
        "routehead": "RouteHead",
        "reattn-icr": "ICR + ReAttn",
        "reattn-qrhead": "QRHead + ReAttn",
        "reattn-core": "CoRe + ReAttn",
        "icr-ratio": "ICR, ratio",
        "qrhead-ratio": "QRHead, ratio",
        "qrhead-ndcg-ratio": "QRHead (solo nDCG), ratio",
        "core-ratio": "CoRe, ratio",
        UNTRAINED: "HeadRank (untrained)",
    },
    "trained": {
        "qrranker": "QRRanker",
        "comprank": "CompRank",
        "core-trained": "CoRe heads, preference-trained",
        TRAINED: "HeadRank",
    },
    "generative": {
        "rankgpt": "RankGPT",
        "rankgpt-single": "RankGPT, one window",
        "first": "FIRST, untrained",
        "setwise": "Setwise, heapsort",
        "setwise-single": "Setwise, one window",
        "yes-no": "Pointwise yes/no",
        "query-likelihood": "Query likelihood",
    },
    "supervised": {"qwen3-reranker": "Qwen3-Reranker"},
}

METHODS = {method: name for named in METHODS_BY_KIND.values() for method, name in named.items()}
_KIND_OF = {method: kind for kind, named in METHODS_BY_KIND.items() for method in named}

# They write an answer that a program must read; the other generative ones read scores of given words.
DECODING = ("rankgpt", "rankgpt-single", "setwise", "setwise-single")


def kind_of(method: str) -> str:
    """The kind of ``method``; of an ``X-faithful`` that of X, and ``trained`` of any other: a variant of HeadRank."""
    return _KIND_OF.get(method) or _KIND_OF.get(method.removesuffix(FAITHFUL), "trained")


def kind_name(kind: str) -> str:
    """``frozen`` -> ``Decoding-free, frozen``."""
    return KINDS[kind]
