"""The kernel K1 to K5 against loops in float64, and the baselines against a reimplementation on eager attention."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from support import eager_attention, tiny_backbone, tiny_prompt

from headrank.engine.forward import Reading, read_prompts
from headrank.engine.scoring import (
    Kernel,
    document_index,
    document_scores,
    head_scores,
    outlier_threshold,
    score_tokens,
    sum_by_document,
)
from headrank.prompts.builder import Branch, Prompt
from headrank.rerankers.core import FAITHFUL as CORE
from headrank.rerankers.icr import KERNEL as ICR

Spans = Sequence[tuple[int, int]]
# An empty document, one of one token, and the outlier mask's real work in the others.
SPANS = ((2, 9), (10, 10), (11, 12), (13, 15), (16, 30))
LENGTH = 33
SPAN = "query"


def made_up_reading(heads: int = 3, seed: int = 0, spans: Spans = SPANS) -> Reading:
    """Random masses whose null mass sometimes exceeds the query's, with one strongly negative token per document."""
    rng = np.random.default_rng(seed)
    branch = Branch((1, 2, 3), (1, 2))
    prompt = Prompt((0,) * LENGTH, tuple(spans), tuple(spans), branch, branch)
    query, null = rng.random((2, heads, LENGTH)) / 50
    for start, stop in spans:
        if stop - start > 4:
            null[:, start + 1] += 0.2
    mass = {("query", SPAN): torch.from_numpy(query), ("null", SPAN): torch.from_numpy(null)}
    return Reading(prompt, mass)


def k4_and_k5(tokens: Sequence[float], spans: Spans, mask: bool) -> list[float]:
    """Document scores of one row of token values, document by document, token by token."""
    scores = []
    for start, stop in spans:
        own = [float(t) for t in tokens[start:stop]]
        threshold = -math.inf
        if mask and len(own) > 1:
            threshold = statistics.fmean(own) - 2 * statistics.stdev(own)  # stdev divides by n - 1
        scores.append(math.fsum(t for t in own if t > threshold))
    return scores


def naive(reading: Reading, kernel: Kernel) -> tuple[list[list[float]], list[float]]:
    """Per-head scores and document scores by the formulas, in plain Python."""
    query = reading.mass[("query", SPAN)].tolist()
    null = reading.mass[("null", SPAN)].tolist()
    spans = reading.prompt.documents(kernel.document_span)
    calibrated = [
        [q - n if kernel.calibrate else q for q, n in zip(*rows, strict=True)]
        for rows in zip(query, null, strict=True)
    ]

    def finish(scores: list[float]) -> list[float]:
        lengths = [max(stop - start, 1) for start, stop in spans]
        scores = [s / n**kernel.length_alpha for s, n in zip(scores, lengths, strict=True)]
        if kernel.normalise:
            positive = [max(s, 0.0) + kernel.epsilon for s in scores]
            scores = [p / math.fsum(positive) for p in positive]
        return scores

    per_head = [finish(k4_and_k5(row, spans, kernel.outlier_mask)) for row in calibrated]
    if kernel.normalise:
        return per_head, [math.fsum(column) for column in zip(*per_head, strict=True)]
    summed = [math.fsum(column) for column in zip(*calibrated, strict=True)]
    return per_head, finish(k4_and_k5(summed, spans, kernel.outlier_mask))


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("outlier_mask", [False, True])
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("length_alpha", [0.0, 0.5, 1.0])
def test_kernel_equals_the_formulas(
    calibrate: bool, outlier_mask: bool, normalise: bool, length_alpha: float
):
    kernel = Kernel(SPAN, "text", calibrate, outlier_mask, normalise, length_alpha)
    for seed in range(3):
        reading = made_up_reading(seed=seed)
        per_head, summed = naive(reading, kernel)
        np.testing.assert_allclose(head_scores(reading, kernel), per_head, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(document_scores(reading, kernel), summed, rtol=1e-10, atol=1e-15)


def test_the_mask_works_on_the_made_up_reading():
    """Without an outlier in it the comparison above would not see the mask."""
    reading = made_up_reading()
    on, off = (document_scores(reading, Kernel(SPAN, "text", outlier_mask=m)) for m in (True, False))
    assert (on > off + 0.1).sum() == 2


def test_heads_are_added_before_the_mask():
    """One head's outlier survives in the sum of heads: the mask of the sum is not the sum of the masks."""
    reading = made_up_reading(heads=1)
    row = reading.mass[("query", SPAN)]
    row[0] = 0.01
    row[0, 3] = -0.3
    both = torch.cat([row, -row])
    reading = Reading(reading.prompt, {("query", SPAN): both})
    kernel = Kernel(SPAN, "text", calibrate=False)
    assert document_scores(reading, kernel).abs().max() == 0
    assert head_scores(reading, kernel).sum(0).abs().max() > 0.2


def test_threshold_divides_by_n_minus_one():
    tokens = torch.tensor([1.0, 2.0, 4.0, 9.0], dtype=torch.float64)
    index = document_index([(0, 4)], 4)
    expected = 4 - 2 * math.sqrt((9 + 4 + 0 + 25) / 3)
    assert outlier_threshold(tokens, index, 1).item() == pytest.approx(expected, rel=1e-12)


def test_only_values_strictly_above_the_threshold_count():
    # Five ones and a minus five: mean 0, variance (5 + 25) / 5 = 6; a value at the threshold itself needs exact
    # arithmetic, which two equal values give: mean 3, std 0.
    equal = torch.tensor([3.0, 3.0])
    index = document_index([(0, 2)], 2)
    assert outlier_threshold(equal, index, 1).item() == 3
    assert score_tokens(equal, index, 1, outlier_mask=True).item() == 0
    tokens = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, -5.0])
    assert score_tokens(tokens, document_index([(0, 6)], 6), 1, outlier_mask=True).item() == 5
    assert score_tokens(tokens, document_index([(0, 6)], 6), 1, outlier_mask=False).item() == 0


def test_only_negative_outliers_are_left_out():
    tokens = torch.tensor([1.0] * 9 + [100.0])
    assert score_tokens(tokens, document_index([(0, 10)], 10), 1, outlier_mask=True).item() == 109


def test_documents_of_one_token_or_none_have_finite_scores():
    tokens = torch.tensor([[0.5, -0.25, 0.125], [1.0, 2.0, 4.0]])
    index = document_index([(0, 1), (1, 1), (1, 2)], 3)
    for mask in (True, False):
        scores = score_tokens(tokens, index, 3, outlier_mask=mask)
        assert scores.tolist() == [[0.5, 0.0, -0.25], [1.0, 0.0, 2.0]]


def test_a_list_of_empty_documents():
    reading = made_up_reading(spans=((3, 3), (5, 5)))
    for kernel in (Kernel(SPAN, "text"), Kernel(SPAN, "text", normalise=True)):
        scores = document_scores(reading, kernel)
        assert torch.isfinite(scores).all()
        assert scores[0] == scores[1]


def test_sums_do_not_see_tokens_outside_documents():
    tokens = torch.tensor([9.0, 1.0, 9.0, 2.0, 3.0, 9.0])
    index = document_index([(1, 2), (3, 5)], 6)
    assert index.tolist() == [-1, 0, -1, 1, 1, -1]
    assert sum_by_document(tokens, index, 2).tolist() == [1, 5]


def test_small_masses_keep_their_variance():
    """The masses lie close together: one-pass variance would lose it in float32."""
    values = 1.0 + 1e-4 * torch.arange(6, dtype=torch.float64)
    index = document_index([(0, 6)], 6)
    exact = outlier_threshold(values, index, 1)
    single = outlier_threshold(values.float(), index, 1)
    assert abs(single.item() - exact.item()) < 1e-6


def test_the_ratio_kernel_is_the_quotient_of_two_readings_of_shares():
    reading = made_up_reading(spans=((1, 3), (3, 6), (6, 8)))
    kernel = Kernel(SPAN, "text", calibrate=False, outlier_mask=False, normalise=True, ratio=True)
    assert kernel.sources == (("query", SPAN), ("null", SPAN))
    shares = []
    for branch in ("query", "null"):
        mass = reading.mass[branch, SPAN]
        sums = torch.stack([mass[:, a:b].sum(dim=1) for a, b in reading.prompt.text], dim=1) + kernel.epsilon
        shares.append(sums / sums.sum(dim=1, keepdim=True))
    quotient = shares[0] / shares[1]
    quotient /= quotient.sum(dim=1, keepdim=True)
    torch.testing.assert_close(head_scores(reading, kernel), quotient)
    torch.testing.assert_close(document_scores(reading, kernel), quotient.sum(dim=0))
    logarithm = replace(kernel, logarithm=True)
    torch.testing.assert_close(document_scores(reading, logarithm), quotient.log().sum(dim=0))


def test_sources_name_what_is_read():
    assert Kernel().sources == (("query", Kernel().query_span), ("null", Kernel().query_span))
    assert Kernel(calibrate=False).sources == (("query", Kernel().query_span),)


# --- The published methods, end to end, from eager attention ---


def published(
    kind: str, prompt: Prompt, heads: Sequence[tuple[int, int]], overrun: int, labelled: bool
) -> list[float]:
    """ICR (overrun 0, labels inside, rows to the end) or CoRe (overrun 1) by loops, from two separate forwards."""
    masses = []
    for branch in (prompt.query, prompt.null):
        attention = eager_attention(kind, [*prompt.prefix, *branch.ids]).double()
        start = len(prompt.prefix)
        stop = start + (len(branch.ids) if labelled else branch.query[1] + 1)
        rows = [[attention[layer, head, t].tolist() for t in range(start, stop)] for layer, head in heads]
        masses.append([[statistics.fmean(column) for column in zip(*row, strict=True)] for row in rows])
    tokens = [math.fsum(q[u] - n[u] for q, n in zip(*masses, strict=True)) for u in range(len(prompt.prefix))]
    spans = prompt.labelled if labelled else [(a, b + overrun) for a, b in prompt.text]
    return k4_and_k5(tokens, spans, mask=True)


@pytest.mark.parametrize("kind", ["qwen3", "granite"])
@torch.no_grad()
def test_icr_and_core_equal_a_reimplementation_on_eager_attention(kind: str):
    backbone, prompt = tiny_backbone(kind), tiny_prompt(kind, count=5)
    chosen = [(3, 1), (0, 2), (1, 1)]
    for kernel, heads, overrun, labelled in [
        (ICR, backbone.all_heads(), 0, True),
        (ICR, chosen, 0, True),
        (CORE, chosen, 1, False),
    ]:
        (reading,) = read_prompts(backbone, [prompt], heads, kernel.sources)
        found = document_scores(reading, kernel).double().numpy()
        expected = np.array(published(kind, prompt, heads, overrun, labelled))
        assert (np.abs(found - expected) <= 1e-4 * np.abs(expected) + 1e-5 * np.abs(expected).max()).all()
