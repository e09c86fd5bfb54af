"""Readable names of methods, variants, backbones and benchmarks, and the order in which they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from headrank.methods.entries.first_stage import FIRST_STAGE
from headrank.methods.entries.headrank import TRAINED, UNTRAINED
from headrank.methods.entry import RELEASED
from headrank.methods.table import METHODS

__all__ = [
    "FIRST_STAGE",
    "TRAINED",
    "UNTRAINED",
    "average_name",
    "backbone_name",
    "benchmark_name",
    "by_method",
    "by_variant",
    "method_name",
    "variant_name",
]

_VARIANTS = {
    TRAINED: "HeadRank",
    UNTRAINED: "no training",
    "core-heads": "CoRe's heads",
    "no-entropy": "no entropy term (λ = 0)",
    "random-pairs": "random pairs",
    "no-regulariser": "no regulariser (μ = 0)",
}

_NUMBERED_VARIANTS = (
    (re.compile(r"k-(\d+)"), "K = {}"),
    (re.compile(r"queries-(\d+)"), "{} training queries"),
    (re.compile(r"depth-(\d+)"), "HeadRank, first {} % of the layers"),
)

_BENCHMARKS = {
    "dl19": "DL 2019",
    "dl20": "DL 2020",
    "dl21": "DL 2021",
    "dl22": "DL 2022",
    "dl23": "DL 2023",
    "trec-covid": "COVID",
    "dl19-splade": "DL 2019, SPLADE",
    "dl20-splade": "DL 2020, SPLADE",
    "noveleval": "NovelEval",
    "nfcorpus": "NFCorpus",
    "scifact": "SciFact",
    "scidocs": "SCIDOCS",
    "fiqa": "FiQA",
    "arguana": "ArguAna",
    "touche": "Touché",
    "dbpedia": "DBpedia",
    "cisi": "CISI",
    "nq": "NQ",
    "fever": "FEVER",
    "climate-fever": "Climate-FEVER",
    "hotpotqa": "HotpotQA",
    "trec-news": "TREC News",
    "signal1m": "Signal-1M",
}

# Parts of model names with a spelling of their own.
_WORDS = {"smollm2": "SmolLM2", "coder": "Coder", "instruct": "Instruct"}

_AVERAGES = {"core14": "CoRe 14", "open14": "Open 14", "dl": "DL 2019–20"}


def method_name(method: str, first_stage: str | None = None) -> str:
    """``icr`` -> ``ICR``; a variant gets its variant name.

    first_stage: what the study calls its first stage, which is not always BM25.
    """
    if method == FIRST_STAGE and first_stage:
        return first_stage
    if method in METHODS:
        return METHODS[method].title
    bare = method.removesuffix(RELEASED)
    if bare != method and bare in METHODS:
        return f"{METHODS[bare].title} (as released)"
    return variant_name(method)


def variant_name(variant: str) -> str:
    """``no-entropy`` -> ``no entropy term (λ = 0)``, ``k-4`` -> ``K = 4``; others with spaces for hyphens."""
    bare = variant.removeprefix(f"{TRAINED}-") if variant not in _VARIANTS else variant
    if bare in _VARIANTS:
        return _VARIANTS[bare]
    for pattern, text in _NUMBERED_VARIANTS:
        if match := pattern.fullmatch(bare):
            return text.format(match[1])
    return bare.replace("-", " ").replace("_", " ")


def backbone_name(backbone: str) -> str:
    """``qwen3-0.6b`` -> ``Qwen3 0.6B``, ``smollm2-135m`` -> ``SmolLM2 135M``, ``small`` -> ``Small``."""
    words = re.split(r"[-_ ]+", backbone.strip())
    words = [
        word.upper() if re.fullmatch(r"\d+(\.\d+)?[bm]", word) else _WORDS.get(word, word) for word in words
    ]
    return _capital(" ".join(words))


def benchmark_name(benchmark: str) -> str:
    """``dl19`` -> ``DL 2019``; an unknown one with a capital."""
    return _BENCHMARKS.get(benchmark) or _capital(benchmark.replace("_", " "))


def average_name(average: str) -> str:
    """``core14`` -> ``CoRe 14``; an unknown one with a capital."""
    return _AVERAGES.get(average) or _capital(average.replace("_", " "))


def by_method(methods: Iterable[str]) -> list[str]:
    """Methods in the paper's order, ``X-faithful`` after X; others after them, in order of appearance."""
    order = []
    for method in METHODS:
        faithful = method + RELEASED
        order += [method] if faithful in METHODS else [method, faithful]
    return _canonical(methods, order)


def by_variant(variants: Iterable[str]) -> list[str]:
    """The full method first, then its ablations; numbered ones (K, queries) by family and number, last."""
    named = _canonical(variants, list(_VARIANTS))
    return sorted(named, key=_numbering)


def _canonical(present: Iterable[str], order: list[str]) -> list[str]:
    known = list(dict.fromkeys(present))
    return [name for name in order if name in known] + [name for name in known if name not in order]


def _numbering(variant: str) -> tuple[int, int]:
    for family, (pattern, _) in enumerate(_NUMBERED_VARIANTS, start=1):
        if match := pattern.fullmatch(variant.removeprefix(f"{TRAINED}-")):
            return family, int(match[1])
    return 0, 0


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
