"""Prepared prompts: K1 to K5 by loops over eager attention, for each method's use, and what is refused."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest
from support import checkpoint, count_calls, eager_attention, tiny_backbone

from headrank import score_prepared
from headrank.errors import InputError

# 60 tokens: instruction, five documents of unequal length (one of a single token, one empty), query side.
DOCUMENTS = [(4, 15), (15, 16), (18, 30), (30, 30), (31, 44)]
IDS = np.random.default_rng(4).integers(0, 200, 60).tolist()
NULL = [*IDS[:44], *np.random.default_rng(5).integers(0, 200, 9).tolist()]
QUERY, NULL_QUERY = (46, 58), (45, 53)
HEADS = [(3, 1), (0, 2), (1, 1)]


def by_loops(
    kind: str, heads: Any, calibrate: bool, mask: bool, per_head: bool, null: list[int]
) -> np.ndarray:
    """The kernel as written down, in float64, one number after another."""
    sides = [(IDS, QUERY, 1.0), *([(null, NULL_QUERY, -1.0)] if calibrate else [])]
    tokens = np.zeros((len(heads), 44))
    for ids, (start, stop), sign in sides:
        attention = eager_attention(kind, ids).double().numpy()
        for row, (layer, head) in enumerate(heads):
            for u in range(44):
                tokens[row, u] += sign * statistics.fmean(
                    attention[layer, head, t, u] for t in range(start, stop)
                )
    rows = tokens if per_head else tokens.sum(axis=0, keepdims=True)
    scores = np.zeros((len(rows), len(DOCUMENTS)))
    for r, row in enumerate(rows):
        for i, (start, stop) in enumerate(DOCUMENTS):
            values = row[start:stop].tolist()
            low = -np.inf
            if mask and len(values) > 1:
                low = statistics.fmean(values) - 2 * statistics.stdev(values)
            scores[r, i] = sum(v for v in values if v > low)
    return scores if per_head else scores[0]


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    bound = 1e-4 * np.abs(expected) + 1e-5 * np.abs(expected).max()
    assert found.shape == expected.shape
    assert (np.abs(found - expected) <= bound).all()


@pytest.mark.parametrize("kind", ["qwen3", "llama", "qwen2", "granite"])
@pytest.mark.parametrize(
    ("heads", "calibrate", "mask", "per_head"),
    [
        (None, True, True, False),  # ICR
        (HEADS, True, True, False),  # QRHead, CoRe
        (HEADS, True, True, True),  # QRHead's detection
        (HEADS, False, False, True),  # CoRe's detection
        (None, False, False, False),  # no calibration, no mask
    ],
)
def test_every_method_s_use_equals_loops_over_eager_attention(
    kind: str, heads: Any, calibrate: bool, mask: bool, per_head: bool
) -> None:
    backbone = tiny_backbone(kind)
    null: dict[str, Any] = {"null_ids": NULL, "null_query": NULL_QUERY} if calibrate else {}
    found = score_prepared(
        backbone, IDS, DOCUMENTS, QUERY, heads=heads, outlier_mask=mask, per_head=per_head, **null
    )
    expected = by_loops(kind, heads or backbone.all_heads(), calibrate, mask, per_head, NULL)
    assert_close(found, expected)


@pytest.mark.parametrize("kind", ["qwen3", "mistral-window", "gpt-oss"])
@pytest.mark.parametrize("calibrate", [False, True])
def test_the_last_document_s_overrun_may_be_the_first_row(kind: str, calibrate: bool) -> None:
    """CoRe's own spans: a token after each document counts as document, and the last one's as query too."""
    documents, query, null_query = [(4, 16), (16, 31), (31, 45)], (44, 58), (44, 53)
    null = [*IDS[:45], *np.random.default_rng(6).integers(0, 200, 9).tolist()]
    given: dict[str, Any] = {"null_ids": null, "null_query": null_query} if calibrate else {}
    found = score_prepared(
        tiny_backbone(kind), IDS, documents, query, heads=HEADS, outlier_mask=False, **given
    )
    expected = np.zeros(3)
    sides = [(IDS, query, 1.0), *([(null, null_query, -1.0)] if calibrate else [])]
    for ids, (start, stop), sign in sides:
        attention = eager_attention(kind, ids).double().numpy()
        for i, (first, last) in enumerate(documents):
            for layer, head in HEADS:
                expected[i] += sign * attention[layer, head, start:stop, first:last].sum(axis=1).mean()
    assert_close(found, expected)


def test_a_single_row_may_be_the_last_document_s_last_token() -> None:
    found = score_prepared(tiny_backbone("qwen3"), IDS[:45], [(4, 20), (20, 45)], (44, 45), heads=HEADS[:1])
    layer, head = HEADS[0]
    row = eager_attention("qwen3", IDS[:45])[layer, head, 44]
    values = [row[4:20], row[20:45]]
    expected = [float(v[v > v.mean() - 2 * v.std()].sum()) for v in values]
    assert_close(found, np.array(expected))


def test_one_pass_over_a_shared_prefix_and_two_over_different_ones() -> None:
    backbone = tiny_backbone("qwen3")
    other = [IDS[0] ^ 1, *NULL[1:]]
    for null, passes in [(NULL, 1), (other, 2)]:
        with count_calls({"decoder": backbone.decoder}) as calls:
            found = score_prepared(
                backbone, IDS, DOCUMENTS, QUERY, heads=HEADS, null_ids=null, null_query=NULL_QUERY
            )
        assert calls["decoder"] == passes
        assert_close(found, by_loops("qwen3", HEADS, True, True, False, null))


def test_a_folder_is_loaded_as_deep_as_needed() -> None:
    found = score_prepared(checkpoint("qwen3"), IDS, DOCUMENTS, QUERY, heads=[(1, 1), (0, 2)])
    held = score_prepared(tiny_backbone("qwen3"), IDS, DOCUMENTS, QUERY, heads=[(1, 1), (0, 2)])
    np.testing.assert_allclose(found, held, atol=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"documents": []}, "prompt: no documents"),
        ({"documents": [(4, 15), (14, 20)]}, r"prompt: document span \(14, 20\) is out of order"),
        ({"documents": [(9, 4)]}, r"prompt: document span \(9, 4\)"),
        ({"documents": [(4, 50)]}, r"prompt: query span \(46, 58\) does not lie between"),
        ({"query": (42, 58)}, r"prompt: query span \(42, 58\) does not lie between"),
        ({"documents": [*DOCUMENTS, (44, 44)], "query": (43, 58)}, r"prompt: query span \(43, 58\)"),
        ({"query": (46, 61)}, r"prompt: query span \(46, 61\)"),
        ({"query": (46, 46)}, r"prompt: query span \(46, 46\)"),
        ({"heads": [(4, 0)]}, "has no head 4-0"),
        ({"heads": []}, "no heads to read"),
        ({"null_ids": NULL}, "null_ids and null_query go together"),
        ({"null_ids": NULL, "null_query": (45, 54)}, r"null prompt: query span \(45, 54\)"),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    arguments = {"documents": DOCUMENTS, "query": QUERY, **change}
    with pytest.raises(InputError, match=message):
        score_prepared(
            tiny_backbone("qwen3"), IDS, arguments.pop("documents"), arguments.pop("query"), **arguments
        )
