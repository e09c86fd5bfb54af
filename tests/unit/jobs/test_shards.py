"""Work in shards: every query once, the same bits for any number of shards, and nothing missing without a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from support import tiny_backbone

from headrank.data.collections import Document
from headrank.engine import forward
from headrank.engine.features import Features
from headrank.engine.forward import PromptTooLong, read_prompts
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.jobs.shards import BLOCK, blocks_of, join_features, join_frames
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers import Candidates, headrank, rerank_together
from headrank.rerankers.frozen import rerank_frozen
from headrank.settings import Settings

QUERIES = [
    Candidates(
        f"q{i}",
        f"query {i}",
        tuple(Document(f"d{j}", "", f"text {i * j} " * (1 + j % 3)) for j in range(2 + i % 4)),
    )
    for i in range(2 * BLOCK + 5)
]


@pytest.mark.parametrize("shards", [1, 2, 3, 7])
@pytest.mark.parametrize("offset", [0, 2])
def test_every_query_is_in_one_shard(shards: int, offset: int) -> None:
    for count in (0, 1, BLOCK, 5 * BLOCK + 3):
        dealt = [blocks_of(range(count), shard, shards, offset) for shard in range(shards)]
        assert sorted(i for blocks in dealt for block in blocks for i in block) == list(range(count))
        assert all(len({i // BLOCK for i in block}) == 1 for blocks in dealt for block in blocks)


def test_shards_get_equal_work() -> None:
    dealt = [len(blocks_of(range(100 * BLOCK), shard, 7)) for shard in range(7)]
    assert max(dealt) - min(dealt) <= 1
    # Benchmarks of one block each go to shards in turn.
    first = [[len(blocks_of(range(BLOCK), shard, 3, offset)) for shard in range(3)] for offset in range(3)]
    assert np.array(first).sum(axis=0).tolist() == [1, 1, 1]


def test_a_number_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match=r"number 3 is not within 0\.\.2"):
        blocks_of(range(9), 3, 3)


@pytest.mark.parametrize("shards", [2, 3, 4])
def test_the_numbers_are_the_same_for_any_number_of_shards(shards: int) -> None:
    """With packing: passes of several prompts must not depend on which queries a shard has."""
    backbone = tiny_backbone("qwen3")
    settings = Settings()
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    heads = HeadSet("headrank", "m", backbone.n_layers, backbone.n_heads, ((1, 0), (2, 3)), (1.0, 0.5))
    qids = [c.qid for c in QUERIES]

    def run(shard: int, of: int) -> tuple[list[pd.DataFrame], list[Features], list[pd.DataFrame]]:
        method = headrank(heads, settings, "h")
        done = [
            rerank_frozen(backbone, builder, [method], block, settings, 1500)
            for block in blocks_of(QUERIES, shard, of) or [[]]
        ]
        return [frames["h"] for frames, _, _ in done], [m for _, m, _ in done], [r for _, _, r in done]

    frames, masses, routes = run(0, 1)
    whole, held = join_frames(frames, qids), join_features(masses, qids)
    parts = [run(shard, shards) for shard in range(shards)]
    pd.testing.assert_frame_equal(
        join_frames([f for p in parts for f in p[0]], qids), whole, check_exact=True
    )
    joined = join_features([f for p in parts for f in p[1]], qids)
    assert joined.ids == held.ids == tuple(qids)
    for name, values in held.values.items():
        np.testing.assert_array_equal(joined.values[name], values)
    assert join_frames([f for p in parts for f in p[2]], qids, every=False).equals(
        join_frames(routes, qids, every=False)
    )


def test_a_missing_shard_is_noticed(tmp_path: Path) -> None:
    parts = [pd.DataFrame({"qid": ["a", "a"], "x": [1, 2]}), pd.DataFrame({"qid": ["c"], "x": [3]})]
    assert join_frames(parts, ["c", "a"])["x"].tolist() == [3, 1, 2]
    with pytest.raises(InputError, match=r"1 of 3 queries are in none of the parts, such as b"):
        join_frames(parts, ["a", "b", "c"])
    features = Features("m", 1, 1, ("a",), {"headrank": np.zeros((1, 1, 2), np.float32)})
    with pytest.raises(InputError, match="1 of 2 queries are in none of the parts, such as b"):
        join_features([features], ["a", "b"])


def test_lists_of_unequal_length_are_padded() -> None:
    def one(name: str, documents: int) -> Features:
        values = {
            "headrank": np.ones((1, 2, documents), np.float32),
            "lengths": np.ones((1, documents), np.float32),
            "token_entropy": np.ones((1, 2), np.float32),
        }
        return Features("m", 1, 2, (name,), values)

    joined = join_features([one("a", 3), one("b", 5)], ["b", "a"])
    assert joined.ids == ("b", "a")
    assert joined.values["headrank"].shape == (2, 2, 5)
    assert np.isnan(joined.values["headrank"][1, :, 3:]).all()
    assert np.isnan(joined.values["lengths"][1, 3:]).all()
    assert joined.values["token_entropy"].shape == (2, 2)


def limited(monkeypatch: pytest.MonkeyPatch, prompts: int, tokens: float = float("inf")) -> list[int]:
    """Let a pass of more prompts or tokens run out of memory; returns the sizes of the passes that were tried."""
    original, tried = forward._read_batch, []

    def read(backbone, batch, *rest):  # type: ignore[no-untyped-def]
        tried.append(len(batch))
        if len(batch) > prompts or sum(len(p.prefix) for p, _ in batch) > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return original(backbone, batch, *rest)

    monkeypatch.setattr(forward, "_read_batch", read)
    return tried


def test_a_pass_that_does_not_fit_is_halved_and_later_ones_stay_small(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backbone = tiny_backbone("qwen3")
    builder = PromptBuilder(backbone.tokenizer, Settings().prompt)
    prompts = [builder.build(c.query, c.documents) for c in QUERIES[:16]]
    sources = [("query", "query")]
    alone = [r.mass[sources[0]] for r in read_prompts(backbone, prompts, [(1, 0)], sources)]
    tried = limited(monkeypatch, prompts=3)
    found = [r.mass[sources[0]] for r in read_prompts(backbone, prompts, [(1, 0)], sources, 10**6)]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(alone, found, strict=True))
    assert tried[:4] == [16, 8, 4, 2]
    assert "16 prompts does not fit" in caplog.text
    tried.clear()
    size = max(len(p.prefix) for p in prompts) * 8
    list(read_prompts(backbone, prompts * 4, [(1, 0)], sources, size))
    assert sum(number > 3 for number in tried) <= 3, tried


def test_a_prompt_that_never_fits_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny_backbone("qwen3")
    settings = Settings()
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    long = Candidates("q-long", "what", (Document("d", "", "word " * 290), Document("e", "", "other")))
    candidates = [*QUERIES[:3], long, *QUERIES[3:6]]
    heads = HeadSet("headrank", "m", backbone.n_layers, backbone.n_heads, ((1, 0),), (1.0,))
    limited(monkeypatch, prompts=99, tokens=1000)
    with pytest.raises(InputError, match=r"query 'q-long': a prompt of \d+ tokens does not fit"):
        rerank_together(backbone, builder, [headrank(heads, settings, "h")], candidates, "best-first", 900)
    with pytest.raises(PromptTooLong):
        list(
            read_prompts(
                backbone, [builder.build(long.query, long.documents)], [(1, 0)], [("query", "query")]
            )
        )
