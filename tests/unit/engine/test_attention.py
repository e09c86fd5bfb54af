"""The engine against transformers' eager attention weights, its isolation of packed prompts, and its early stop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from support import (
    KINDS,
    WINDOWED,
    byte_tokenizer,
    checkpoint,
    count_calls,
    eager_attention,
    eager_model,
    tiny_backbone,
    tiny_config,
    tiny_prompt,
    write_checkpoint,
)
from transformers import AutoModelForCausalLM, Gemma2ForCausalLM, GptOssForCausalLM

from headrank.engine.attention import Capture, Read, attention_rows, run
from headrank.engine.backbone import load_backbone
from headrank.engine.forward import read_prompts
from headrank.engine.packing import Segment

TOLERANCE = 1e-5
TEXTS = ["a stone in the river", "blue", "the elm and the oak and one cloud"]
# Unsorted on purpose: rows come back in the order that was asked for.
HEADS = {0: [2, 0], 1: [3], 3: [1, 0, 3]}


def padded(side: str, texts: Sequence[str] = TEXTS) -> tuple[torch.Tensor, torch.Tensor]:
    encoded = byte_tokenizer()(list(texts), padding=True, padding_side=side, return_tensors="pt")
    return encoded["input_ids"], encoded["attention_mask"]


def positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(1) - 1).clamp(min=0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_rows_of_a_padded_batch_equal_eager_attention(kind: str, side: str):
    ids, mask = padded(side)
    output = eager_model(kind)(
        input_ids=ids, attention_mask=mask, position_ids=positions(mask), output_attentions=True
    )
    spans = [(0, int(n)) if n < 6 else (3, int(n) - 2) for n in mask.sum(1)]
    read = attention_rows(tiny_backbone(kind).decoder, ids, mask, spans, HEADS)
    for b, (start, stop) in enumerate(spans):
        real = mask[b].bool()
        for layer, heads in HEADS.items():
            expected = output.attentions[layer][b][heads][:, real][:, :, real][:, start:stop]
            assert expected.std() > 0.01  # an oracle of uniform rows would prove nothing
            torch.testing.assert_close(read[b][layer], expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_ordinary_padded_calls_equal_sdpa(kind: str, side: str):
    """Fails when the mask function is not registered along with the attention function."""
    ids, mask = padded(side)
    own = tiny_backbone(kind).model
    assert own.config._attn_implementation == "headrank"
    known = not isinstance(own, Gemma2ForCausalLM | GptOssForCausalLM)
    sdpa = AutoModelForCausalLM.from_pretrained(
        checkpoint(kind), attn_implementation="sdpa" if known else "eager"
    ).eval()
    arguments = {"input_ids": ids, "attention_mask": mask, "position_ids": positions(mask)}
    logits = own(**arguments).logits[mask.bool()]
    torch.testing.assert_close(logits, sdpa(**arguments).logits[mask.bool()], atol=TOLERANCE, rtol=0)
    alone = torch.cat(
        [own(input_ids=row[m.bool()][None]).logits[0] for row, m in zip(ids, mask, strict=True)]
    )
    torch.testing.assert_close(logits, alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["qwen3", *WINDOWED])
@torch.no_grad()
def test_what_is_written_with_a_cache_is_what_eager_attention_writes(kind: str):
    ids, mask = padded("left", ["a stone in the river, and an elm", "the oak and one"])
    written = [
        model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=12, min_new_tokens=12, do_sample=False
        )
        for model in (tiny_backbone(kind).model, eager_model(kind))
    ]
    assert written[0].tolist() == written[1].tolist()


@torch.no_grad()
def test_sinks_count_where_every_layer_sees_the_whole_text(tmp_path: Path):
    """Rows of layer 2 depend on the layers below, in which the sinks take most of the attention."""
    config = tiny_config("gpt-oss", layers=3, layer_types=["full_attention"] * 3)
    folder = write_checkpoint(tmp_path, config)
    own = load_backbone(folder)
    eager: Any = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    for model in (own.model, eager):
        for layer in model.model.layers:
            layer.self_attn.sinks.fill_(4.0)
    ids, mask = padded("right", TEXTS[:1])
    output = eager(input_ids=ids, attention_mask=mask, output_attentions=True)
    (read,) = attention_rows(own.decoder, ids, mask, [(2, 20)], {0: [1], 2: [0, 3]})
    for layer, heads in ((0, [1]), (2, [0, 3])):
        expected = output.attentions[layer][0, heads, 2:20]
        assert expected.sum(dim=-1).max() < 0.9
        torch.testing.assert_close(read[layer], expected, atol=TOLERANCE, rtol=0)
    logits = own.model(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(logits, output.logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_two_branches_equal_two_separate_forwards(kind: str):
    prompt = tiny_prompt(kind)
    heads = [(3, 1), (0, 0), (2, 3), (2, 0)]
    sources = [("query", "query"), ("null", "instruction+query+suffix"), ("query", "instruction+query+next")]
    (reading,) = read_prompts(tiny_backbone(kind), [prompt], heads, sources)
    for branch, span in sources:
        tail = getattr(prompt, branch)
        attention = eager_attention(kind, [*prompt.prefix, *tail.ids])
        start, stop = (len(prompt.prefix) + place for place in tail.rows(span))
        for row, (layer, head) in enumerate(heads):
            expected = attention[layer, head, start:stop, : len(prompt.prefix)].mean(0)
            found = reading.mass[(branch, span)][row]
            torch.testing.assert_close(found, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_one_token_branches(kind: str):
    """A second branch of one token takes another path through transformers' SDPA call."""
    first, second, third = [5, 6, 7], [9], [11]
    prefix = list(range(20, 40))
    segment = Segment(0, len(prefix), (3, 1, 1))
    reads = [Read(0, 0, 0, 3), Read(0, 1, 0, 1), Read(0, 2, 0, 1)]
    capture = Capture([segment], reads, {3: [0, 1, 2, 3]}, keep_rows=True)
    run(tiny_backbone(kind).decoder, [prefix + first + second + third], capture)
    for i, branch in enumerate([first, second, third]):
        expected = eager_attention(kind, prefix + branch)[3, :4, len(prefix) :]
        torch.testing.assert_close(capture.rows[3][i], expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("layer", [0, 2])
@torch.no_grad()
def test_states_of_the_query_s_tokens_in_the_same_pass(layer: int):
    backbone = tiny_backbone("qwen3")
    prompts = [tiny_prompt(count=n, query=q, seed=n) for n, q in [(3, "elm"), (2, "blue cloud")]]
    sources = [("query", "query"), ("null", "instruction+query")]
    with count_calls({"decoder": backbone.decoder}) as calls:
        readings = list(read_prompts(backbone, prompts, [(2, 1)], sources, 10**6, states_layer=layer))
    assert calls["decoder"] == 1
    for prompt, reading in zip(prompts, readings, strict=True):
        for branch, span in sources:
            tail = getattr(prompt, branch)
            ids = torch.tensor([[*prompt.prefix, *tail.ids]])
            states = eager_model("qwen3")(input_ids=ids, output_hidden_states=True).hidden_states[layer]
            start, stop = (len(prompt.prefix) + place for place in tail.rows(span))
            expected = states[0, start:stop].mean(dim=0)
            torch.testing.assert_close(reading.states[branch, span], expected, atol=TOLERANCE, rtol=0)
    with pytest.raises(ValueError, match=r"layers \[3\] were not reached"):
        list(read_prompts(backbone, prompts, [(2, 1)], sources, states_layer=3))
    assert not next(iter(read_prompts(backbone, prompts, [(2, 1)], sources))).states


@pytest.mark.parametrize("kind", ["qwen3", *WINDOWED])
@torch.no_grad()
def test_packed_prompts_equal_prompts_one_by_one(kind: str):
    backbone = tiny_backbone(kind)
    prompts = [tiny_prompt(count=n, query=q, seed=n) for n, q in [(3, "elm"), (1, "blue cloud"), (5, "red")]]
    sources = [("query", "query"), ("null", "query")]
    heads = [(2, 1), (0, 3), (3, 2)]
    alone = list(read_prompts(backbone, prompts, heads, sources))
    with count_calls({"decoder": backbone.decoder}) as calls:
        together = list(read_prompts(backbone, prompts, heads, sources, tokens_per_pass=10**6))
    assert calls["decoder"] == 1
    assert [r.prompt for r in together] == prompts
    for one, packed in zip(alone, together, strict=True):
        for source in sources:
            torch.testing.assert_close(one.mass[source], packed.mass[source], atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_a_pass_holds_what_fits():
    backbone = tiny_backbone("qwen3")
    prompts = [tiny_prompt(count=2, seed=n) for n in range(5)]
    size = max(len(p.prefix) + len(p.query.ids) + len(p.null.ids) for p in prompts)
    for limit, passes in [(0, 5), (2 * size, 3), (5 * size, 1)]:
        with count_calls({"decoder": backbone.decoder}) as calls:
            assert len(list(read_prompts(backbone, prompts, [(0, 0)], [("query", "query")], limit))) == 5
        assert calls["decoder"] == passes


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_nothing_above_the_deepest_read_layer_runs(kind: str):
    backbone = tiny_backbone(kind)
    model: Any = backbone.model
    layers = model.model.layers
    watched = {
        **{f"layer{i}": layer for i, layer in enumerate(layers)},
        "value": layers[2].self_attn.v_proj,
        "output projection": layers[2].self_attn.o_proj,
        "mlp": layers[2].mlp,
        "norm": model.model.norm,
        "head": model.lm_head,
    }
    with count_calls(watched) as calls:
        (reading,) = read_prompts(backbone, [tiny_prompt(kind)], [(2, 1), (1, 0)], [("query", "query")])
    assert reading.mass[("query", "query")].shape[0] == 2
    assert calls == {
        "layer0": 1,
        "layer1": 1,
        "layer2": 1,
        "layer3": 0,
        "value": 0,
        "output projection": 0,
        "mlp": 0,
        "norm": 0,
        "head": 0,
    }


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_deepest_layer_asks_for_the_queries_of_the_rows_that_are_read(kind: str):
    backbone, prompt = tiny_backbone(kind), tiny_prompt(kind)
    attention: Any = backbone.decoder.layers[2].self_attn  # type: ignore[union-attr,index]
    asked: list[int] = []
    hook = attention.q_proj.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0].shape[1]))
    try:
        (reading,) = read_prompts(backbone, [prompt], [(2, 1)], [("query", "query"), ("null", "last")])
    finally:
        hook.remove()
    start, stop = prompt.query.rows("query")
    assert asked == [stop - start + 1]
    # As in a pass that goes deeper, for which the layer is nothing special.
    (deeper,) = read_prompts(backbone, [prompt], [(2, 1), (3, 0)], [("query", "query"), ("null", "last")])
    for source, mass in reading.mass.items():
        torch.testing.assert_close(mass[0], deeper.mass[source][0], atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_reading_one_layer_does_not_change_another():
    """The residual stream is the plain model's, whatever is read on the way."""
    backbone, prompt = tiny_backbone("llama"), tiny_prompt("llama")
    source = ("query", "query")
    (few,) = read_prompts(backbone, [prompt], [(3, 5)], [source])
    (all_,) = read_prompts(backbone, [prompt], backbone.all_heads(), [source])
    place = backbone.all_heads().index((3, 5))
    torch.testing.assert_close(few.mass[source][0], all_.mass[source][place], atol=0, rtol=0)


@pytest.mark.parametrize("kind", ["qwen3", *WINDOWED])
def test_gradients_equal_eager_gradients(kind: str):
    backbone = load_backbone(checkpoint(kind))
    prompt = tiny_prompt(kind)
    heads = [(3, 1), (1, 3)]
    (reading,) = read_prompts(backbone, [prompt], heads, [("query", "query")])
    weights = torch.linspace(-1, 1, len(prompt.prefix))
    (reading.mass[("query", "query")] * weights).sum().backward()

    oracle: Any = AutoModelForCausalLM.from_pretrained(checkpoint(kind), attn_implementation="eager")
    ids = torch.tensor([[*prompt.prefix, *prompt.query.ids]])
    attention = oracle(input_ids=ids, output_attentions=True).attentions
    start, stop = (len(prompt.prefix) + place for place in prompt.query.query)
    sum(
        (attention[layer][0, head, start:stop, : len(prompt.prefix)].mean(0) * weights).sum()
        for layer, head in heads
    ).backward()
    compared = 0
    for (name, found), (_, expected) in zip(
        backbone.model.named_parameters(), oracle.named_parameters(), strict=True
    ):
        if found.grad is None:
            assert expected.grad is None or not expected.grad.any(), name
        else:
            torch.testing.assert_close(found.grad, expected.grad, atol=1e-5, rtol=1e-3, msg=name)
            compared += 1
    assert compared > 20


@torch.no_grad()
def test_rows_of_a_bfloat16_model_are_float32():
    backbone = load_backbone(checkpoint("qwen3"), dtype="bfloat16")
    prompt = tiny_prompt()
    source = ("query", "query")
    (half,) = read_prompts(backbone, [prompt], [(0, 1)], [source])
    (full,) = read_prompts(tiny_backbone("qwen3"), [prompt], [(0, 1)], [source])
    assert half.mass[source].dtype == torch.float32
    torch.testing.assert_close(half.mass[source], full.mass[source], atol=2e-3, rtol=0)


@torch.no_grad()
def test_a_layer_that_the_model_lacks_is_an_error():
    decoder = tiny_backbone("qwen3").decoder
    capture = Capture([Segment(0, 3, (2,))], [Read(0, 0, 0, 2)], {1: [0], 7: [0]})
    with pytest.raises(ValueError, match=r"layers \[7\] were not reached"):
        run(decoder, [[1, 2, 3, 4, 5]], capture)
    with pytest.raises(ValueError, match="4 token ids for segments of 5 tokens"):
        run(decoder, [[1, 2, 3, 4]], Capture([Segment(0, 3, (2,))], [], {0: [0]}))
