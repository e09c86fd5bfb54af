"""What must not matter to a ranking, for every method: names of documents, other queries, order, the numbers' type.

Padding is in ``unit/engine/test_attention.py``, packing in ``unit/rerankers/test_rerankers.py``, shards in
``unit/jobs/test_shards.py``, and the order of passages for CompRank in ``unit/engine/test_independent_passages.py``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from support import KINDS, builder, checkpoint, passages, tiny_backbone

from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.forward import read_prompts
from headrank.generative.settings import GenerativeSettings
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.router import Router
from headrank.methods.ask import rerank_asked
from headrank.methods.build import build, released
from headrank.methods.table import ASKED, FROZEN, head_sets
from headrank.planted.tokenizer import CHAT_TEMPLATE
from headrank.rerankers import Candidates, Method, rerank_together
from headrank.rerankers.parts import Parts
from headrank.settings import Settings

pytestmark = pytest.mark.slow

FAIR = [name for name in FROZEN if not released([name])]
POINTWISE = ("yes-no", "query-likelihood", "qwen3-reranker")
SETTINGS = GenerativeSettings(window=4, stride=2, top_k=3, new_tokens=8)
# Of the same arithmetic in another order, and of bfloat16 (8 bits) over four layers: to a share of the largest number.
SAME, HALF = 2.0**-16, 2.0**-5


def candidates(queries: int = 3, documents: int = 6) -> list[Candidates]:
    return [Candidates(f"q{i}", f"red oak {i}", tuple(passages(documents, seed=i))) for i in range(queries)]


@cache
def frozen() -> tuple[Method, ...]:
    backbone = tiny_backbone("qwen3")
    sets = {
        name: HeadSet(name, "tiny", 4, 4, ((1, i % 4), (2, 1)), (1.0, 0.5))
        for i, name in enumerate(head_sets(FAIR))
    }
    offered = HeadSet("routehead", "tiny", 4, 4, ((1, 0), (3, 2)), (1.0, 0.5))
    numbers = (torch.zeros(48), torch.ones(48), torch.ones(2, 48), torch.ones(2, 2), torch.zeros(2))
    return tuple(
        build(FAIR, Parts(backbone, builder(), sets, Settings(), Router(offered, 2, 1, 0.5, *numbers)))
    )


@cache
def writer() -> Backbone:
    loaded = load_backbone(checkpoint("qwen3"))
    loaded.tokenizer.chat_template = CHAT_TEMPLATE
    return loaded


def read(given: list[Candidates], order: str = "best-first", per_pass: int = 0) -> dict[str, pd.DataFrame]:
    """The frames of all methods that read attention."""
    return rerank_together(tiny_backbone("qwen3"), builder(), frozen(), given, order, per_pass)


def asked(given: list[Candidates]) -> dict[str, pd.DataFrame]:
    """The frames of all methods that ask the model."""
    return {name: rerank_asked(name, writer(), given, SETTINGS)[0] for name in ASKED}


def test_the_names_of_documents_mean_nothing() -> None:
    """Also where names are the other way round, which would turn ties by name, and in a shuffled prompt."""
    given = [
        replace(c, documents=(*c.documents, replace(c.documents[0], docid="twin"))) for c in candidates(2, 4)
    ]
    names = {d.docid: f"x{99 - i}" for c in given for i, d in enumerate(c.documents)}
    renamed = [
        replace(c, documents=tuple(replace(d, docid=names[d.docid]) for d in c.documents)) for c in given
    ]
    for before, after in (
        (read(given), read(renamed)),
        (read(given, "shuffled"), read(renamed, "shuffled")),
        (asked(given), asked(renamed)),
    ):
        assert set(before) in ({*FAIR}, {*ASKED})
        for name, frame in before.items():
            expected = frame.assign(docid=frame["docid"].map(names))
            pd.testing.assert_frame_equal(after[name], expected, check_exact=True, obj=name)


def test_other_queries_mean_nothing() -> None:
    """Alone, among others, and packed into passes with them."""
    given = candidates(3, 5)
    packed = read(given, per_pass=10**6)
    for alone, together in (
        (read(given[1:2]), read(given)),
        (read(given[1:2]), packed),
        (asked(given[1:2]), asked(given)),
    ):
        for name, frame in alone.items():
            own = together[name][together[name]["qid"] == "q1"].reset_index(drop=True)
            assert own["docid"].tolist() == frame["docid"].tolist(), name
            close(own["score"].to_numpy(), frame["score"].to_numpy(), SAME, name)


@pytest.mark.parametrize("name", POINTWISE)
def test_the_order_of_candidates_means_nothing_where_passages_are_read_one_by_one(name: str) -> None:
    (given,) = candidates(1, 8)
    turned = replace(given, documents=given.documents[::-1])
    before, after = (
        rerank_asked(name, writer(), [c], SETTINGS)[0].set_index("docid")["score"] for c in (given, turned)
    )
    close(after[before.index].to_numpy(), before.to_numpy(), SAME, name)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_bfloat16_changes_no_passage_s_mass_much(kind: str) -> None:
    """All heads' masses of all passages, to a share of each head's largest."""
    half, full = load_backbone(checkpoint(kind), dtype="bfloat16"), tiny_backbone(kind)
    prompt, source = builder(kind).build("red oak", passages(8)), ("query", "instruction+query+suffix")
    read = [next(iter(read_prompts(b, [prompt], b.all_heads(), [source]))).mass[source] for b in (half, full)]
    one, other = (
        torch.stack([mass[:, start:stop].sum(1) for start, stop in prompt.labelled], 1) for mass in read
    )
    # Passages of which windows leave nothing to be seen have no mass under either type.
    largest = other.amax(1, keepdim=True).clamp(min=1e-3)
    error = float(((one - other).abs() / largest).max())
    print(f"{kind}: bfloat16 changes a passage's mass by {error:.4f} of the head's largest")
    # Where a router chooses among experts, rounding changes which of them a token meets.
    assert error < (2 * HALF if kind == "gpt-oss" else HALF)


def close(found: Any, expected: Any, share: float, name: str) -> None:
    size = np.abs(expected).max()
    assert np.abs(found - expected).max() <= share * size, name
