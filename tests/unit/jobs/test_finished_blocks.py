"""Blocks of a killed job: found again bit for bit, done again where anything that they depend on has changed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import tiny_backbone

from headrank.data.collections import Document
from headrank.engine.features import Features
from headrank.generative.settings import GenerativeSettings
from headrank.heads.head_set import HeadSet
from headrank.jobs.finished_blocks import Finished, Part
from headrank.methods.ask import rerank_asked
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers import Candidates, headrank
from headrank.rerankers.frozen import rerank_frozen
from headrank.settings import Settings

BLOCKS = [
    [
        Candidates(
            f"q{i}", f"query {i}", tuple(Document(f"d{j}", "", f"text {i * j} words") for j in range(2 + i))
        )
        for i in block
    ]
    for block in ((0, 1), (2, 3), (4,))
]


def rank(block: Sequence[Candidates]) -> Mapping[str, Part]:
    """All kinds of results that jobs keep: rankings, routes, masses, and a model's answers."""
    backbone, settings = tiny_backbone("qwen3"), Settings()
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    heads = HeadSet("headrank", "m", backbone.n_layers, backbone.n_heads, ((1, 0), (2, 3)), (1.0, 0.5))
    frames, masses, routes = rerank_frozen(
        backbone, builder, [headrank(heads, settings, "h")], block, settings
    )
    ranking, calls = rerank_asked("first", backbone, block, GenerativeSettings())
    return {**frames, "masses": masses, "routes": routes, "first": ranking, "calls": calls}


def equal(a: Part, b: Part) -> bool:
    if isinstance(a, Features):
        assert isinstance(b, Features)
        # The model's name is its folder, and the killed process had one of its own.
        assert (a.n_layers, a.n_heads, a.ids) == (b.n_layers, b.n_heads, b.ids)
        return all(np.array_equal(a.values[name], b.values[name], equal_nan=True) for name in a.values)
    assert isinstance(b, pd.DataFrame)
    pd.testing.assert_frame_equal(a, b, check_exact=True)
    return True


def until_killed(folder: Path) -> None:
    """In a process of its own: do the first block, and die within the second."""
    finished = Finished(folder, "owner")
    finished.run("key", BLOCKS[0], rank)
    finished.run("key", BLOCKS[1], lambda _: os.kill(os.getpid(), signal.SIGKILL))


def test_a_killed_job_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    process = multiprocessing.get_context("spawn").Process(target=until_killed, args=(folder,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL

    done = []

    def work(block: Sequence[Candidates]) -> Mapping[str, Part]:
        done.append(block)
        return rank(block)

    finished = Finished(folder, "owner")
    results = [finished.run("key", block, work) for block in BLOCKS]
    assert done == BLOCKS[1:]
    for block, parts in zip(BLOCKS, results, strict=True):
        fresh = rank(block)
        assert list(parts) == list(fresh)
        assert all(equal(parts[name], fresh[name]) for name in fresh)
    finished.forget()
    assert not folder.exists()


def test_an_empty_block_is_kept_too(tmp_path: Path) -> None:
    Finished(tmp_path, "owner").run("key", [], rank)
    kept = Finished(tmp_path, "owner").run("key", [], never)
    assert len(kept["h"]) == 0
    assert kept["masses"].ids == ()


def never(block: Sequence[Any]) -> Mapping[str, Part]:
    raise AssertionError(f"done again: {block}")


def one_row(block: Sequence[Any], value: int = 1) -> Mapping[str, Part]:
    return {"frame": pd.DataFrame({"value": [value]})}


@pytest.mark.parametrize(
    ("owner", "key", "block"), [("other", "key", ["a"]), ("owner", "other", ["a"]), ("owner", "key", ["b"])]
)
def test_what_depends_on_something_else_is_done_anew(
    tmp_path: Path, owner: str, key: str, block: list[str]
) -> None:
    Finished(tmp_path, "owner").run("key", ["a"], one_row)
    fresh = Finished(tmp_path, owner).run(key, block, partial(one_row, value=2))
    assert fresh["frame"]["value"].tolist() == [2]


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\x00"])
@pytest.mark.parametrize("file", ["block.json", "0.parquet"])
def test_damaged_blocks_are_done_again(
    tmp_path: Path, file: str, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    Finished(tmp_path, "owner").run("key", ["a"], one_row)
    [path] = tmp_path.glob(f"*/{file}")
    path.write_bytes(damage)
    again = Finished(tmp_path, "owner").run("key", ["a"], partial(one_row, value=2))
    assert again["frame"]["value"].tolist() == [2]
    assert "done again" in caplog.text
    Finished(tmp_path, "owner").run("key", ["a"], never)


def test_a_full_disk_costs_the_block_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    kept = Finished(tmp_path / "file", "owner").run("key", ["a"], one_row)
    assert kept["frame"]["value"].tolist() == [1]
    assert "block not kept" in caplog.text
