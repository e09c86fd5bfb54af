"""Rotary positions that depend on the text's length: what is packed reads as it does alone."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from support import builder, checkpoint, passages, tiny_config, write_checkpoint

from headrank.engine.attention import attention_rows
from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.forward import one_prefix, prompt_states, read_prompts
from headrank.engine.layer_entry import LayerEntry
from headrank.engine.rotary_lengths import frequencies, most_positions
from headrank.errors import InputError
from headrank.generative.generate import Ask, ask_model, check_length
from headrank.prompts.builder import Prompt

SOURCES = [("query", "query"), ("null", "query")]
HEADS = [(0, 1), (1, 3), (2, 0)]


def prompts() -> list[Prompt]:
    """Short and long ones; of one the query's branch is beyond 256 positions and the null query's is not."""
    build = builder("qwen3").build
    made = [build("oak", passages(n)) for n in (1, 9, 2)]
    between = next(p for p in (build("oak " * n, passages(2)) for n in range(1, 60)) if length(p) > 256)
    assert len(between.prefix) + len(between.null.ids) <= 256
    assert [length(p) > 256 for p in made] == [False, True, False]
    return [*made, between]


def length(prompt: Prompt) -> int:
    return len(prompt.prefix) + len(prompt.query.ids)


@cache
def backbone(folder: Path, encoding: str) -> Backbone:
    rope: dict[str, Any] = {"rope_type": encoding, "rope_theta": 10000.0, "factor": 4.0}
    changes: dict[str, Any] = {"max_position_embeddings": 256}
    if encoding == "longrope":
        rope |= {"short_factor": [1.0] * 8, "long_factor": [1.0 + i for i in range(8)]}
        rope["original_max_position_embeddings"] = 256
        changes = {"max_position_embeddings": 1024}
    else:
        # The length to which it is scaled, by which prompts are measured.
        rope["original_max_position_embeddings"] = 256
    return load_backbone(
        write_checkpoint(folder / encoding, tiny_config("qwen3", layers=3, rope_parameters=rope, **changes))
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lengths")


def eager(model: Any, ids: list[int]) -> Any:
    """Attention of a model that has read nothing else."""
    config = copy.deepcopy(model.config)
    fresh = type(model)._from_config(config, attn_implementation="eager").eval()
    fresh.load_state_dict(model.state_dict())
    return fresh(input_ids=torch.tensor([ids]), output_attentions=True, use_cache=False).attentions


@pytest.mark.parametrize("encoding", ["longrope", "dynamic"])
@torch.no_grad()
def test_packed_prompts_read_as_each_does_alone(folder: Path, encoding: str):
    own = backbone(folder, encoding)
    for reading in read_prompts(own, prompts(), HEADS, SOURCES, tokens_per_pass=10**6):
        for branch, span in SOURCES:
            tail, prefix = getattr(reading.prompt, branch), reading.prompt.prefix
            weights = eager(own.model, [*prefix, *tail.ids])
            start, stop = (len(prefix) + place for place in tail.rows(span))
            expected = torch.stack(
                [weights[layer][0, h, start:stop, : len(prefix)].mean(0) for layer, h in HEADS]
            )
            assert expected.std() > 0.001
            torch.testing.assert_close(reading.mass[branch, span], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_passes_that_begin_at_a_layer_and_states_and_padded_batches(folder: Path):
    own, made = backbone(folder, "longrope"), prompts()
    source = [("query", "query")]
    plain = [next(read_prompts(own, [p], HEADS[2:], source, states_layer=1)) for p in made]
    entries = [LayerEntry(2, prompt_states(own, p, ["query"], 2)) for p in made]
    for given in ({"states_layer": 1}, {"entries": entries}):
        for one, alone in zip(read_prompts(own, made, HEADS[2:], source, 10**6, **given), plain, strict=True):
            torch.testing.assert_close(one.mass[source[0]], alone.mass[source[0]], atol=1e-6, rtol=0)
            for name, states in one.states.items():
                torch.testing.assert_close(states, alone.states[name], atol=1e-5, rtol=1e-5)
    sequences = [[*p.prefix, *p.query.ids] for p in made]
    longest = max(map(len, sequences))
    ids = torch.tensor([s + [0] * (longest - len(s)) for s in sequences])
    mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in sequences])
    rows = attention_rows(own.decoder, ids, mask, [(len(s) - 2, len(s)) for s in sequences], {2: [0, 3]})
    for sequence, found in zip(sequences, rows, strict=True):
        expected = eager(own.model, sequence)[2][0, [0, 3], -2:]
        torch.testing.assert_close(found[2], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("encoding", ["longrope", "dynamic"])
def test_questions_asked_together_are_answered_as_each_alone(folder: Path, encoding: str):
    own = backbone(folder, encoding)
    texts = [list(range(n)) for n in (20, 200, 250)]
    long = [[*range(200), *range(n)] for n in (60, 90)]
    given = [Ask(tuple(ids), 1, words=((5,), (6,), (7, 8))) for ids in (*texts, *long)]
    together = ask_model(own, given, 10**6)
    for ask, answer in zip(given, together, strict=True):
        config = copy.deepcopy(own.model.config)
        fresh: Any = type(own.model)._from_config(config, attn_implementation="sdpa").eval()
        fresh.load_state_dict(own.model.state_dict())
        with torch.no_grad():
            rows = [
                fresh(input_ids=torch.tensor([[*ask.prompt, 7]])).logits[0, i].log_softmax(dim=-1)
                for i in (-2, -1)
            ]
        expected = [rows[0][5], rows[0][6], rows[0][7] + rows[1][8]]
        torch.testing.assert_close(torch.tensor(answer.logits), torch.stack(expected), atol=1e-4, rtol=0)


def test_states_are_not_kept_of_a_prefix_that_differs_by_branch(folder: Path):
    own = backbone(folder, "longrope")
    *same, between = prompts()
    assert all(one_prefix(own, p, ["query", "null"]) for p in same[:1])
    assert not one_prefix(own, between, ["query", "null"])
    assert one_prefix(own, between, ["query"])


def test_which_lengths_share_frequencies(folder: Path):
    plain = tiny_config("qwen3")
    assert frequencies(plain, 3) == frequencies(plain, 10**6)
    own: Any = backbone(folder, "longrope").model.config
    assert frequencies(own, 3) == frequencies(own, 256) != frequencies(own, 257) == frequencies(own, 900)
    own = backbone(folder, "dynamic").model.config
    assert frequencies(own, 3) == frequencies(own, 256) != frequencies(own, 257) != frequencies(own, 258)


def test_scaled_positions_count_for_what_is_read_and_for_what_is_answered():
    """YaRN's factor of four makes 1024 positions of 256."""
    loaded = load_backbone(checkpoint("qwen3"))
    config: Any = loaded.model.config
    config.max_position_embeddings = 256
    ask = Ask(prompt=(5,) * 300, documents=1, new_tokens=20)
    with pytest.raises(InputError, match="does not fit the 256 positions"):
        check_length(loaded, ask, "q")
    config.rope_parameters = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0}
    config.rope_parameters["original_max_position_embeddings"] = 256
    assert most_positions(config) == 1024
    check_length(loaded, ask, "q")
    with pytest.raises(InputError, match="does not fit the 1024 positions"):
        check_length(loaded, Ask(prompt=(5,) * 1010, documents=1, new_tokens=20), "q")
