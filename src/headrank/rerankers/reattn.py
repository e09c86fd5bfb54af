"""ReAttn: re-weighting of another method's token attention, without training (arXiv 2602.19969).

Query words that occur in many of the documents distinguish them poorly and count less; documents in which the attention
is spread over many tokens count more. No code is published: the form below is a reconstruction (docs/methods.md).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from headrank.engine.composition import Composition
from headrank.engine.forward import Reading, Source
from headrank.engine.scoring import document_index, head_tokens, sum_by_document
from headrank.errors import UsageError
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers.method import Method

if TYPE_CHECKING:
    from headrank.data.collections import Document


@dataclass(frozen=True)
class ReAttn(Method):
    """Another method on re-weighted tokens: s(i) = B_i (1 + entropy_weight * E_i).

    B_i is ``base``'s score after the mass of each token whose word is in the query is multiplied by
    log((N + 1) / (df + 1)) / log(N + 1), df being the number of the N documents that have the word; words are compared
    as stems. E_i is the entropy of the positive token scores within document i over the log of its length. ``builder``
    made the prompts.
    """

    base: Method
    builder: PromptBuilder
    entropy_weight: float

    @property
    def sources(self) -> tuple[Source, ...]:
        return self.base.sources

    @property
    def states_layer(self) -> int | None:
        return self.base.states_layer

    def scores(self, reading: Reading, query: str, documents: Sequence[Document]) -> Tensor:
        weighted = self._weighted(reading, query, documents)
        scores = self.base.scores(weighted, query, documents)
        return scores * self._lift(weighted).to(scores.dtype)

    def composition(self, reading: Reading, query: str, documents: Sequence[Document]) -> Composition:
        weighted = self._weighted(reading, query, documents)
        found = self.base.composition(weighted, query, documents)
        if found.logarithm:
            raise UsageError(f"{self.name}: a multiple of a sum of logarithms has no parts that add up to it")
        lift = self._lift(weighted).to(found.parts.dtype)
        parts = found.parts * lift[found.index.clamp(min=0)]
        return replace(found, parts=parts, rest=found.rest * lift)

    def _weighted(self, reading: Reading, query: str, documents: Sequence[Document]) -> Reading:
        device = reading.mass[self.sources[0]].device
        weights = self.token_weights(reading, query, documents).to(device)
        return replace(reading, mass={source: mass * weights for source, mass in reading.mass.items()})

    def _lift(self, weighted: Reading) -> Tensor:
        """(documents,): 1 + entropy_weight * E_i."""
        spans = weighted.prompt.documents(self.kernel.document_span)
        return 1 + self.entropy_weight * token_spread(head_tokens(weighted, self.kernel).sum(dim=0), spans)

    def token_weights(self, reading: Reading, query: str, documents: Sequence[Document]) -> Tensor:
        """(prefix tokens,): 1 except for tokens of query words."""
        asked = self.builder.query_words(query)
        words = [self.builder.passage_words(document) for document in documents]
        count = len(words)
        in_documents = Counter(word for found in words for word in asked.intersection(found))
        scale = math.log(count + 1)
        weight = {word: math.log((count + 1) / (df + 1)) / scale for word, df in in_documents.items()}
        weights = torch.ones(len(reading.prompt.prefix))
        for (start, stop), found in zip(reading.prompt.text, words, strict=True):
            weights[start:stop] = torch.tensor([weight.get(word, 1.0) for word in found])
        return weights


def reattn(base: Method, builder: PromptBuilder, entropy_weight: float = 0.5) -> ReAttn:
    """ReAttn over any other method; entropy_weight is an assumption."""
    return ReAttn(f"reattn-{base.name}", base.heads, base.kernel, base, builder, entropy_weight)


def token_spread(tokens: Tensor, spans: Sequence[tuple[int, int]]) -> Tensor:
    """(documents,) in [0, 1]: entropy of each document's positive token scores over the log of its token count."""
    index = document_index(spans, tokens.shape[-1], tokens.device)
    positive = tokens.clamp(min=0)
    total = sum_by_document(positive, index, len(spans)).clamp(min=1e-30)
    share = positive / total[index.clamp(min=0)]
    entropy = sum_by_document(-share * share.clamp(min=1e-30).log(), index, len(spans))
    lengths = torch.tensor([max(stop - start, 2) for start, stop in spans], device=tokens.device)
    return entropy / lengths.to(entropy.dtype).log()
