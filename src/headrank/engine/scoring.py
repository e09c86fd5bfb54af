"""The one kernel: token mass -> calibration -> outlier mask -> document score (K1 to K5 of docs/methods.md).

Every attention method is this kernel with other heads, spans and switches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from headrank.engine.forward import Reading, Source
from headrank.engine.list_scores import add_heads, list_shares, over_length


@dataclass(frozen=True)
class Kernel:
    """The settings in which one attention method differs from another, apart from its heads.

    query_span, document_span: names known to ``headrank.prompts.builder``. branch: whose rows are read, the query's
    or the null query's. calibrate: subtract the null query's mass (K2).
    outlier_mask: leave out tokens at or below mean - 2 std of their document (K4). normalise: each head's document
    masses are divided by their sum over the list before heads are added (R4), with ``epsilon`` added to each;
    length_alpha: document masses are divided by the document's token count to this power first (R4). logarithm: heads
    are added as logarithms of their shares (R8's mean-log). ratio: with ``normalise``, each head's shares are divided
    by those under the null query and add up to 1 again (R4).
    """

    query_span: str = "instruction+query+suffix"
    document_span: str = "labelled"
    calibrate: bool = True
    outlier_mask: bool = True
    normalise: bool = False
    length_alpha: float = 0.0
    epsilon: float = 1e-6
    logarithm: bool = False
    ratio: bool = False
    branch: Literal["query", "null"] = "query"

    @property
    def sources(self) -> tuple[Source, ...]:
        """The token masses that this kernel needs."""
        query: Source = (self.branch, self.query_span)
        return (query, ("null", self.query_span)) if self.calibrate or self.ratio else (query,)


def document_index(
    spans: Sequence[tuple[int, int]], length: int, device: torch.device | None = None
) -> Tensor:
    """(length,) int64: the document that each prefix token belongs to, -1 outside documents. Do not write to it."""
    return _document_index(tuple(spans), length, device)


# All methods that share a reading ask for the same two or three.
@lru_cache(maxsize=16)
def _document_index(spans: tuple[tuple[int, int], ...], length: int, device: torch.device | None) -> Tensor:
    # Also kept for training passes, where a tensor made in inference mode would be refused.
    with torch.inference_mode(False):
        index = torch.full((length,), -1, dtype=torch.int64)
        for i, (start, stop) in enumerate(spans):
            index[start:stop] = i
        return index.to(device) if device is not None else index


def sum_by_document(tokens: Tensor, index: Tensor, n_documents: int) -> Tensor:
    """Sum (..., length) token values into (..., n_documents); an empty document sums to 0."""
    inside = index >= 0
    out = tokens.new_zeros((*tokens.shape[:-1], n_documents))
    return out.index_add(-1, index[inside], tokens[..., inside])


def outlier_threshold(tokens: Tensor, index: Tensor, n_documents: int) -> Tensor:
    """K4: mean - 2 std (unbiased) of each document's tokens, (..., n_documents).

    A document of one token has no standard deviation; its threshold is -inf, so the token counts.
    """
    inside = index >= 0
    place, values = index[inside], tokens[..., inside]
    count = torch.bincount(place, minlength=n_documents).to(tokens.dtype)
    mean = sum_by_document(tokens, index, n_documents) / count.clamp(min=1)
    # Two passes: the masses are small and close to one another, where E[x^2] - E[x]^2 cancels.
    squared = torch.zeros_like(mean).index_add(-1, place, (values - mean[..., place]) ** 2)
    threshold = mean - 2 * (squared / (count - 1).clamp(min=1)).sqrt()
    return torch.where(count > 1, threshold, torch.full_like(threshold, float("-inf")))


def kept_tokens(tokens: Tensor, index: Tensor, n_documents: int) -> Tensor:
    """(..., length) bool: the tokens above their document's threshold of K4."""
    return tokens > outlier_threshold(tokens, index, n_documents)[..., index.clamp(min=0)]


def score_tokens(tokens: Tensor, index: Tensor, n_documents: int, outlier_mask: bool) -> Tensor:
    """K4 and K5: (..., length) token scores to (..., n_documents) document scores."""
    if outlier_mask:
        tokens = torch.where(kept_tokens(tokens, index, n_documents), tokens, torch.zeros_like(tokens))
    return sum_by_document(tokens, index, n_documents)


def head_scores(reading: Reading, kernel: Kernel) -> Tensor:
    """(n_heads, n_documents): each head's own document scores, mask (if any) and normalisation per head."""
    mass = document_masses(head_tokens(reading, kernel), reading, kernel)
    if not kernel.normalise:
        return mass
    null = None
    if kernel.ratio:
        null = document_masses(reading.mass[("null", kernel.query_span)], reading, kernel)
    return list_shares(mass, kernel.epsilon, null)


def document_scores(reading: Reading, kernel: Kernel) -> Tensor:
    """(n_documents,): the method's scores, heads added before the mask (K3), or after normalisation (R11)."""
    if kernel.normalise:
        return add_heads(head_scores(reading, kernel), kernel.logarithm)
    return document_masses(head_tokens(reading, kernel).sum(dim=0), reading, kernel)


def head_tokens(reading: Reading, kernel: Kernel) -> Tensor:
    """(n_heads, prefix tokens): each head's token mass, minus the null query's if the kernel says so (K1, K2)."""
    mass = reading.mass[(kernel.branch, kernel.query_span)]
    return mass - reading.mass[("null", kernel.query_span)] if kernel.calibrate else mass


def document_masses(tokens: Tensor, reading: Reading, kernel: Kernel) -> Tensor:
    """(..., prefix tokens) token masses to (..., documents) masses, by the kernel's document span, mask and length."""
    spans = reading.prompt.documents(kernel.document_span)
    index = document_index(spans, tokens.shape[-1], tokens.device)
    mass = score_tokens(tokens, index, len(spans), kernel.outlier_mask)
    lengths = [stop - start for start, stop in spans]
    return over_length(mass, torch.tensor(lengths, dtype=mass.dtype, device=mass.device), kernel.length_alpha)
