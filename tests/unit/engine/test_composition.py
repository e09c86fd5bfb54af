"""Scores taken apart: by hand, by leaving tokens out, and as sums that give the kernel's scores again."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from support import tiny_backbone, tiny_prompt

from headrank.engine.composition import compose
from headrank.engine.forward import Reading, read_prompts
from headrank.engine.scoring import Kernel, document_scores, head_scores
from headrank.prompts.builder import Branch, Prompt

SPAN = "query"
# Token 0 belongs to no document; the third document is empty.
PROMPT = Prompt(
    (0,) * 6, ((1, 3), (3, 5), (5, 5)), ((1, 3), (3, 5), (5, 5)), Branch((0,), (0, 1)), Branch((0,), (0, 1))
)
QUERY = [[0.5, 0.25, 0.125, 0.0625, 0.0625, 0.0], [0.0, 0.0, 0.5, 0.25, 0.25, 0.0]]
NULL = [[0.5, 0.125, 0.125, 0.125, 0.125, 0.0], [0.0, 0.125, 0.125, 0.5, 0.25, 0.0]]
READING = Reading(PROMPT, {("query", SPAN): torch.tensor(QUERY), ("null", SPAN): torch.tensor(NULL)})
PLAIN = Kernel(SPAN, "text", calibrate=False, outlier_mask=False)


def test_a_sum_of_masses_is_made_of_masses() -> None:
    found = compose(READING, PLAIN)
    assert found.parts.tolist() == [[0, 0.25, 0.125, 0.0625, 0.0625, 0], [0, 0, 0.5, 0.25, 0.25, 0]]
    assert not found.rest.any()
    assert found.values.tolist() == [[0.375, 0.125, 0], [0.5, 0.5, 0]]
    assert found.scores.tolist() == [0.875, 0.625, 0]


def test_calibration_takes_the_null_query_s_mass_from_each_token() -> None:
    found = compose(READING, replace(PLAIN, calibrate=True))
    assert found.parts.tolist() == [[0, 0.125, 0, -0.0625, -0.0625, 0], [0, -0.125, 0.375, -0.25, 0, 0]]
    assert found.scores.tolist() == [0.375, -0.375, 0]


def test_shares_are_masses_over_the_list_s_sum_and_the_constant_belongs_to_no_token() -> None:
    epsilon = 0.125
    found = compose(READING, replace(PLAIN, normalise=True, epsilon=epsilon))
    # Three documents: 0.5 + 3 / 8 under the first head, 1 + 3 / 8 under the second.
    first, second = 0.875, 1.375
    assert found.parts[0].tolist() == pytest.approx(
        [0, 0.25 / first, 0.125 / first, *[0.0625 / first] * 2, 0]
    )
    assert found.rest.tolist() == [
        pytest.approx([epsilon / first] * 3),
        pytest.approx([epsilon / second] * 3),
    ]
    assert found.values.sum(dim=1).tolist() == pytest.approx([1, 1])


def test_a_ratio_divides_a_document_s_tokens_by_one_number_for_each_head() -> None:
    epsilon = 0.125
    found = compose(READING, replace(PLAIN, normalise=True, ratio=True, epsilon=epsilon, logarithm=True))
    expected = []
    for query, null in zip(QUERY, NULL, strict=True):
        ratios = [(sum(query[a:b]) + epsilon) / (sum(null[a:b]) + epsilon) for a, b in PROMPT.text]
        expected.append([ratio / sum(ratios) for ratio in ratios])
    for head in range(2):
        assert found.values[head].tolist() == pytest.approx(expected[head])
        # Of a document's value, each token has what it has of the mass and the constant.
        for i, (start, stop) in enumerate(PROMPT.text):
            whole = sum(QUERY[head][start:stop]) + epsilon
            for u in range(start, stop):
                part = QUERY[head][u] / whole * expected[head][i]
                assert found.parts[head, u].item() == pytest.approx(part)
    logs = [sum(math.log(values[i]) for values in expected) for i in range(3)]
    assert found.logarithm
    assert found.scores.tolist() == pytest.approx(logs)


def test_a_document_below_zero_counts_as_nothing_in_a_list_of_shares() -> None:
    found = compose(READING, replace(PLAIN, calibrate=True, normalise=True, epsilon=0.125))
    assert not found.parts[0, 3:].any()
    assert found.values[0, 1] == found.rest[0, 1] > 0


# Every switch of the kernel, alone and with others.
KERNELS = {
    "icr": Kernel("instruction+query+suffix", "labelled"),
    "no calibration": Kernel("instruction+query+suffix", "labelled", calibrate=False, outlier_mask=False),
    "last": Kernel("last", "labelled", outlier_mask=False),
    "null alone": Kernel("query", "labelled", calibrate=False, outlier_mask=False, branch="null"),
    "core": Kernel("instruction+query+next", "text+next"),
    "lengths": Kernel("query", "text", length_alpha=0.5),
    "shares": Kernel("query", "text", calibrate=False, outlier_mask=False, normalise=True),
    "masked shares": Kernel("query", "text", normalise=True, length_alpha=1.0),
    "masked logarithms": Kernel("query", "text", normalise=True, logarithm=True, epsilon=1e-3),
    "ratio": Kernel("query", "text", calibrate=False, outlier_mask=False, normalise=True, ratio=True),
    "ratio, logarithms": Kernel(
        "query", "text", calibrate=False, outlier_mask=False, normalise=True, ratio=True, logarithm=True
    ),
    "ratio, lengths": Kernel(
        "query", "text", calibrate=False, outlier_mask=False, normalise=True, ratio=True, length_alpha=0.7
    ),
}


@pytest.fixture(scope="module")
def reading() -> Reading:
    backbone = tiny_backbone("qwen3")
    sources = [source for kernel in KERNELS.values() for source in kernel.sources]
    with torch.no_grad():
        return next(read_prompts(backbone, [tiny_prompt(count=6)], backbone.all_heads(), sources))


@pytest.mark.parametrize("name", KERNELS)
def test_the_parts_give_the_whole(name: str, reading: Reading) -> None:
    kernel = KERNELS[name]
    found = compose(reading, kernel)
    expected = document_scores(reading, kernel).double()
    # Float32 sums of some hundred tokens of both signs.
    size = found.parts.abs().sum().clamp(min=1)
    torch.testing.assert_close(found.scores, expected, rtol=1e-5, atol=1e-6 * float(size))
    if kernel.normalise:
        torch.testing.assert_close(found.values, head_scores(reading, kernel).double(), rtol=1e-5, atol=1e-8)
    if kernel.outlier_mask:
        assert found.left_out.any()
        assert not found.parts[found.left_out].any()


def test_a_token_s_part_is_what_the_score_loses_without_it(reading: Reading) -> None:
    kernel = Kernel("last", "labelled", outlier_mask=False)
    found, before = compose(reading, kernel), document_scores(reading, kernel)
    start, stop = reading.prompt.labelled[2]
    for u in (start, stop - 1):
        mass = {source: values.clone() for source, values in reading.mass.items()}
        for values in mass.values():
            values[:, u] = 0
        lost = before - document_scores(replace(reading, mass=mass), kernel)
        assert lost[2].item() == pytest.approx(found.parts[:, u].sum().item(), abs=1e-6)
        assert lost[[0, 1, 3]].abs().max() < 1e-7
