"""Every method by name, and what it needs and costs: what ``headrank methods`` prints.

Plain facts, so that nobody has to load a model library to read them; tests keep them in step with the code.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Listing:
    """kind: as in the main table. needs: beside backbone, queries and passages. cost: of one query of N candidates."""

    name: str
    kind: str
    needs: str
    cost: str
    about: str


_NOTHING = "nothing more"
_HEADS = "a head set"
_ADAPTER = "an adapter"
_BOTH = "1 pass, query and null query"
_ONE = "1 pass"
_CUT = "1 pass, down to the deepest head"
_PAIR = "1 pass down to the deepest head, query and null query"

CATALOGUE = (
    Listing("icr", "frozen", _NOTHING, _BOTH, "all heads, calibrated, outliers masked (2410.02642)"),
    Listing("icr-query-last", "frozen", _NOTHING, _ONE, "ICR without calibration"),
    Listing("icr-last-token", "frozen", _NOTHING, _ONE, "ICR, last token only, without calibration"),
    Listing("icr-null-only", "frozen", _NOTHING, _ONE, "ICR's bias alone: the null query's attention"),
    Listing("icr-last-token-calibrated", "frozen", _NOTHING, _BOTH, "ICR, last token only"),
    Listing("selective-icr", "frozen", _HEADS, _PAIR, "ICR on a band of layers (2602.22591)"),
    Listing("qrhead", "frozen", _HEADS, _PAIR, "heads by their mass on relevant passages (2506.09944)"),
    Listing("qrhead-ndcg", "frozen", _HEADS, _PAIR, "heads by their own nDCG@10 (released detection)"),
    Listing("core", "frozen", _HEADS, _PAIR, "heads by contrast with irrelevant passages (2510.02219)"),
    Listing("core-pruned", "frozen", _HEADS, _PAIR, "CoRe's choice among the first layers only"),
    Listing("routehead", "frozen", "a router", _CUT, "heads chosen per query by a router (2604.24608)"),
    Listing("reattn-icr", "frozen", _NOTHING, _BOTH, "ICR on re-weighted tokens (2602.19969)"),
    Listing("reattn-qrhead", "frozen", _HEADS, _PAIR, "QRHead on re-weighted tokens"),
    Listing("reattn-core", "frozen", _HEADS, _PAIR, "CoRe on re-weighted tokens"),
    Listing("icr-ratio", "frozen", _NOTHING, _BOTH, "all heads, shares over the null query's"),
    Listing("qrhead-ratio", "frozen", _HEADS, _PAIR, "QRHead's heads, shares over the null query's"),
    Listing("qrhead-ndcg-ratio", "frozen", _HEADS, _PAIR, "heads by their own nDCG@10, so read"),
    Listing("core-ratio", "frozen", _HEADS, _PAIR, "CoRe's heads, shares over the null query's"),
    Listing("headrank-untrained", "frozen", _HEADS, _CUT, "HeadRank's heads before training (2604.17237)"),
    Listing("icr-faithful", "frozen", _NOTHING, _BOTH, "ICR's own prompt, order and spans"),
    Listing("selective-icr-faithful", "frozen", _HEADS, _PAIR, "Selective-ICR's own prompt, order and spans"),
    Listing("qrhead-faithful", "frozen", _HEADS, _PAIR, "QRHead's own prompt, order and spans"),
    Listing("core-faithful", "frozen", _HEADS, _PAIR, "CoRe's own prompt, order and spans"),
    Listing("headrank", "trained", _ADAPTER, _CUT, "preference-trained heads (2604.17237)"),
    Listing("qrranker", "trained", _ADAPTER, _CUT, "QRHead's heads, group contrast (2602.12192)"),
    Listing("comprank", "trained", _ADAPTER, _CUT, "independent, compressed passages (2606.11700)"),
    Listing("core-trained", "trained", _ADAPTER, _CUT, "HeadRank's training on CoRe's heads"),
    Listing(
        "rankgpt", "generative", _NOTHING, "a text per window of 20", "listwise, sliding window (2304.09542)"
    ),
    Listing("rankgpt-single", "generative", _NOTHING, "1 text", "listwise, all candidates at once"),
    Listing("first", "generative", _NOTHING, "1 pass per window of 20", "first token's logits (2406.15657)"),
    Listing(
        "setwise", "generative", _NOTHING, "about N/3 + 30 passes", "heapsort over sets of 4 (2310.09497)"
    ),
    Listing("setwise-single", "generative", _NOTHING, _ONE, "label logits over all candidates"),
    Listing("yes-no", "generative", _NOTHING, "N passes", "pointwise yes or no"),
    Listing("query-likelihood", "generative", _NOTHING, "N passes", "pointwise likelihood of the query"),
    Listing("qwen3-reranker", "supervised", "Qwen3-Reranker weights", "N passes", "pointwise, fine-tuned"),
)
BY_NAME = {listing.name: listing for listing in CATALOGUE}
