"""In plain words, what the numbers of a method's explanation are and how they make up its score."""

from __future__ import annotations

from headrank.rerankers.method import Method
from headrank.rerankers.reattn import ReAttn

_ROWS = {
    "query": "the query's tokens",
    "instruction+query": "the tokens of instruction and query",
    "instruction+query+next": "the tokens of instruction and query, and the one after them",
    "instruction+query+suffix": "the tokens from the instruction to the end of the prompt",
    "last": "the prompt's last token",
}
_COUNTED = {
    "labelled": "The label before a passage counts with it.",
    "text+next": "The token after a passage counts with it.",
}


def account_of(method: Method) -> list[str]:
    """Sentences about a method's numbers, as ``headrank.engine.composition`` makes them."""
    kernel = method.kernel
    under = ' of the query "N/A"' if kernel.branch == "null" else ""
    told = [f"Attention is what {_ROWS[kernel.query_span]}{under} pay to a word, on average, in a head."]
    if kernel.calibrate:
        told.append('A word\'s weight is this attention less what the word gets under the query "N/A".')
    if kernel.outlier_mask:
        told.append(
            "Tokens far below the others of their passage are left out; their words are marked with ×."
        )
    if kernel.length_alpha:
        told.append(f"Weights are divided by the passage's length to the power of {kernel.length_alpha:g}.")
    if kernel.normalise:
        told.append("Each head's weights are divided by its sum over the list: they are shares of the list.")
    if kernel.ratio:
        told.append(
            'A passage\'s shares are also divided by its share under "N/A". This is one number for a passage and'
            " a head: it changes how passages compare, and not how the words of one passage do."
        )
    if isinstance(method, ReAttn):
        told.append(
            "Words of the query count less the more passages have them, and passages whose attention is spread over"
            " many tokens count more; both are factors of the weights."
        )
    if counted := _COUNTED.get(kernel.document_span):
        told.append(counted)
    if kernel.normalise and kernel.logarithm:
        told.append(
            "Words add up to a head's share. The score is not their sum: it adds up the logarithms of the heads'"
            " shares."
        )
    else:
        told.append("A passage's score is the sum of its words' weights over the heads.")
    if kernel.normalise:
        told.append(f"What belongs to no word is a constant ({kernel.epsilon:g}) that every passage gets.")
    return told
