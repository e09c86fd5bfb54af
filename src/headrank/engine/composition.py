"""What each token of a passage adds to the passage's score, under each head: the kernel's sums, taken apart.

The kernel adds up tokens (K5, R4), and everything that it does to a sum is a factor: a length, the list's sum, the null
query's share. A token's part is its own mass times these factors, so that the parts add up to what the kernel gives.
Where heads are added as logarithms (R8's mean-log), the parts add up to each head's share, and the score is the sum of
the shares' logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from headrank.engine.forward import Reading
from headrank.engine.list_scores import add_heads, list_shares, of_the_sum, over_length
from headrank.engine.scoring import (
    Kernel,
    document_index,
    document_masses,
    head_tokens,
    kept_tokens,
    sum_by_document,
)


@dataclass(frozen=True)
class Composition:
    """How documents' scores are made of tokens, heads in the reading's order; all numbers are float64.

    parts: (heads, prefix tokens), what a token adds to its document's value under a head; 0 outside documents. rest:
    (heads, documents), what of a value belongs to no token. left_out: (heads, prefix tokens) bool, tokens of documents
    that the mask leaves out (K4). index: (prefix tokens,), the document of each token, -1 outside. logarithm: whether a
    score is the sum over heads of its values' logarithms, or of the values themselves.
    """

    parts: Tensor
    rest: Tensor
    left_out: Tensor
    index: Tensor
    logarithm: bool

    @property
    def values(self) -> Tensor:
        """(heads, documents): the sum of a document's parts under each head, and the rest."""
        return sum_by_document(self.parts, self.index, self.rest.shape[1]) + self.rest

    @property
    def scores(self) -> Tensor:
        """(documents,): the method's scores again, up to rounding."""
        return add_heads(self.values, self.logarithm)

    def of_heads(self, rows: Tensor) -> Composition:
        """The same for some of the heads, (heads,) bool or indices."""
        return replace(self, parts=self.parts[rows], rest=self.rest[rows], left_out=self.left_out[rows])


def compose(reading: Reading, kernel: Kernel) -> Composition:
    """Take apart the scores that ``document_scores`` gives for this reading and kernel."""
    tokens = head_tokens(reading, kernel)
    spans = reading.prompt.documents(kernel.document_span)
    index = document_index(spans, tokens.shape[-1], tokens.device)
    inside, place = index >= 0, index.clamp(min=0)
    left_out = torch.zeros_like(tokens, dtype=torch.bool)
    if kernel.outlier_mask:
        # As in ``document_scores``: the mask is of the heads together, or of each head if shares are taken first. In
        # float32, so that the same tokens are left out.
        masked = tokens if kernel.normalise else tokens.sum(dim=0)
        left_out = (inside & ~kept_tokens(masked, index, len(spans))).expand_as(tokens)
    counted = torch.where(inside & ~left_out, tokens, torch.zeros_like(tokens)).double()
    lengths = torch.tensor([stop - start for start, stop in spans], dtype=counted.dtype, device=tokens.device)
    parts = over_length(counted, lengths[place], kernel.length_alpha)
    rest = parts.new_zeros(len(parts), len(spans))
    if kernel.normalise:
        divisor, positive = _divisors(parts, index, reading, kernel)
        # A document whose calibrated tokens add up to less than 0 counts as 0, whatever its tokens.
        parts = torch.where(positive[:, place], parts, torch.zeros_like(parts)) / divisor[:, place]
        rest = kernel.epsilon / divisor
    return Composition(parts, rest, left_out, index, kernel.normalise and kernel.logarithm)


def _divisors(parts: Tensor, index: Tensor, reading: Reading, kernel: Kernel) -> tuple[Tensor, Tensor]:
    """(heads, documents): what masses and epsilon are divided by to give shares (R4); which masses are positive."""
    documents = reading.prompt.n_documents
    mass = sum_by_document(parts, index, documents)
    positive = mass > 0
    filled = mass.clip(0) + kernel.epsilon
    divisor = filled.sum(-1, keepdim=True).expand_as(filled)
    if kernel.ratio:
        null = document_masses(reading.mass[("null", kernel.query_span)].double(), reading, kernel)
        ratios = filled / divisor / list_shares(null, kernel.epsilon)
        divisor = filled / of_the_sum(ratios)
    return divisor, positive
