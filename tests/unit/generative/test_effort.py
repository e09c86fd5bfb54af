"""What generative methods are said to ask, beside what they ask."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from support import checkpoint, passages

from headrank.cost.model_shapes import SHAPES
from headrank.cost.predict import Rates
from headrank.engine.backbone import Backbone, load_backbone
from headrank.generative.effort import Effort, query_seconds
from headrank.generative.settings import GenerativeSettings
from headrank.methods.ask import rerank_asked
from headrank.methods.table import ASKED
from headrank.planted.tokenizer import CHAT_TEMPLATE
from headrank.rerankers import Candidates

SETTINGS = GenerativeSettings(window=4, stride=2, children=2, top_k=3, new_tokens=5)
MEASURED = sorted((Path(__file__).parents[3] / "docs" / "measurements").glob("bench*_qwen3-0.6b_cpu.csv"))


@cache
def backbone() -> Backbone:
    loaded = load_backbone(checkpoint("qwen3"))
    loaded.tokenizer.chat_template = CHAT_TEMPLATE
    return loaded


def calls_of(name: str, count: int) -> pd.DataFrame:
    candidates = [Candidates(f"q{seed}", "red oak", tuple(passages(count, seed=seed))) for seed in range(3)]
    return rerank_asked(name, backbone(), candidates, SETTINGS)[1]


@pytest.mark.parametrize("name", [name for name in ASKED if name != "setwise"])
@pytest.mark.parametrize("count", [1, 4, 7, 12])
def test_calls_are_as_many_and_as_large_as_foretold(name: str, count: int):
    calls, asked = calls_of(name, count), ASKED[name].effort(count, SETTINGS)
    assert set(calls.groupby("qid").size()) == {asked.turns * asked.prompts}
    assert calls["documents"].max() == asked.passages
    # Where logits are read, the most probable token is counted as written.
    assert calls["new_tokens"].max() <= max(1, asked.written)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 12])
def test_setwise_asks_no_more_than_foretold(count: int):
    calls, asked = calls_of("setwise", count), ASKED["setwise"].effort(count, SETTINGS)
    most = calls.groupby("qid").size().max() if len(calls) else 0
    assert most <= asked.turns <= 3 * most + 2
    assert calls.empty or calls["documents"].max() == asked.passages


def test_every_method_is_known():
    for name in ASKED:
        assert ASKED[name].effort(40, SETTINGS).passages > 0


def test_answers_cost_their_weights_once_a_token_and_batch():
    shape, rates = SHAPES["qwen3-4b"], Rates(1e15, 1e15, "")
    alone = GenerativeSettings(batch_tokens=1)
    asked = Effort(2, 1, 20, written=100)
    one = query_seconds(asked, alone, shape, rates, 100)
    # 4 billion weights of two bytes at 5 GB a second.
    assert one == pytest.approx(200 * 8 / 5, rel=0.05)
    many = query_seconds(asked, GenerativeSettings(batch_tokens=25_000), shape, rates, 100)
    assert many == pytest.approx(one / 10, rel=0.05)


@pytest.mark.parametrize(
    ("name", "n"), [("rankgpt", 20), ("rankgpt", 40), ("first", 40), ("qwen3-reranker", 40)]
)
def test_estimates_are_of_the_size_of_what_was_measured(name: str, n: int):
    rounds = pd.concat(map(pd.read_csv, MEASURED))
    seconds = rounds[(rounds["method"] == name) & (rounds["n"] == n)]["seconds"].median()
    # One list at a time, and the rate of a whole pass through transformers.
    rate = 3.5e11
    settings = GenerativeSettings(batch_tokens=1)
    found = query_seconds(
        ASKED[name].effort(n, settings), settings, SHAPES["qwen3-0.6b"], Rates(rate, rate, ""), 138
    )
    assert seconds / 2 < found < 2 * seconds
