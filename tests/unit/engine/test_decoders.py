"""Every decoder type of the installed transformers is read as its own eager attention has it, or refused by name."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from decoders import VOCABULARY, WINDOW, small_config, small_decoder
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from headrank.engine import token_chunks
from headrank.engine.attention import IMPLEMENTATION, Capture, Read, run, states_entering
from headrank.engine.layer_entry import LayerEntry
from headrank.engine.packing import Segment
from headrank.engine.supported import check_config, check_model, restore_whole, shorten
from headrank.errors import InputError

pytestmark = pytest.mark.slow

TOLERANCE = 1e-5
# A prompt with two branches and one with one, in one pass; windows are shorter than either prefix.
SEGMENTS = [Segment(0, 20, (9, 5)), Segment(34, 13, (4,))]
READS = [Read(0, 0, 2, 9), Read(0, 1, 0, 5), Read(1, 0, 1, 4)]
_generator = torch.Generator().manual_seed(3)
SEQUENCES = [torch.randint(3, VOCABULARY, (s.length,), generator=_generator).tolist() for s in SEGMENTS]
KNOWN = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def alone(read: Read) -> list[int]:
    """The prompt of one branch."""
    segment, ids = SEGMENTS[read.segment], SEQUENCES[read.segment]
    begin = segment.branch_start(read.branch) - segment.start
    return ids[: segment.prefix] + ids[begin : begin + segment.branches[read.branch]]


def rows(decoder: Any, layers: range, heads: int, entry: LayerEntry | None = None) -> dict[int, list[Any]]:
    chosen = {layer: list(range(heads)) for layer in layers}
    return run(decoder, SEQUENCES, Capture(SEGMENTS, READS, chosen, keep_rows=True), entry).rows


def agree(found: dict[int, list[Any]], expected: dict[int, list[Any]]) -> None:
    for layer, tensors in found.items():
        for one, other in zip(tensors, expected[layer], strict=True):
            torch.testing.assert_close(one, other, atol=TOLERANCE, rtol=0)


def eager_rows(model: Any) -> dict[int, list[torch.Tensor]]:
    eager = copy.deepcopy(model)
    eager.set_attn_implementation("eager")
    found: dict[int, list[torch.Tensor]] = {}
    for read in READS:
        output = eager(input_ids=torch.tensor([alone(read)]), output_attentions=True, use_cache=False)
        assert len(output.attentions) == model.config.num_hidden_layers
        start = SEGMENTS[read.segment].prefix
        for layer, weights in enumerate(output.attentions):
            found.setdefault(layer, []).append(weights[0, :, start + read.start : start + read.stop])
    return found


@pytest.mark.parametrize("kind", KNOWN)
@torch.no_grad()
def test_a_decoder_is_read_right_or_refused_by_name(kind: str, monkeypatch: pytest.MonkeyPatch):
    try:
        config, wrong = small_config(kind), None
    except Exception as error:
        wrong = str(error).strip().splitlines()[-1]
        try:
            config = CONFIG_MAPPING[kind]()
        except Exception:
            pytest.skip(f"{kind}: transformers makes no configuration of it ({wrong})")
    try:
        check_config(config, "checkpoint")
    except InputError as error:
        named(error, config)
        return
    if wrong:
        pytest.skip(f"{kind}: no small configuration ({wrong})")
    try:
        model = small_decoder(config)
    except Exception as error:
        pytest.skip(f"{kind}: transformers cannot build it small ({type(error).__name__}: {error})")
    # What only a pass shows of a type belongs among those that are refused by their configuration.
    check_model(model, "checkpoint")
    decoder, heads, depth = model.get_decoder(), config.num_attention_heads, config.num_hidden_layers
    whole = rows(decoder, range(depth), heads)
    expected = eager_rows(model)
    for layer, tensors in expected.items():
        assert (
            min(tensor.std() for tensor in tensors) > 0.005
        )  # an oracle of uniform rows would prove nothing
        for place, tensor in enumerate(tensors):
            if hasattr(attention_of(decoder, layer), "sinks") and (tensor.sum(-1) - 1).abs().max() < 1e-4:
                # Granite's eager attention leaves its sinks' share out of the weights and takes it off the output,
                # which the layers above see.
                tensors[place] = tensor * whole[layer][place].sum(-1, keepdim=True)
    agree(whole, expected)
    # Cut off within the deepest layer, begun at a layer, by chunks, and loaded to a depth.
    agree(rows(decoder, range(1, 2), heads), whole)
    entering = LayerEntry(2, states_entering(decoder, SEQUENCES, SEGMENTS, 2))
    agree(rows(decoder, range(2, depth), heads, entering), whole)
    with monkeypatch.context() as small:
        small.setattr(token_chunks, "BYTES", {"cpu": 1})
        small.setattr(token_chunks, "STEP", 5)
        agree(rows(decoder, range(depth), heads), whole)
    shorter = copy.deepcopy(config)
    shorten(shorter, 2)
    cut = AutoModelForCausalLM.from_config(shorter, attn_implementation=IMPLEMENTATION).float().eval()
    restore_whole(cut, config, "checkpoint")
    assert not cut.load_state_dict(model.state_dict(), strict=False).missing_keys
    agree(rows(cut.get_decoder(), range(2), heads), whole)


def attention_of(decoder: Any, layer: int) -> Any:
    return getattr(decoder.layers[layer], "self_attn", None)


def named(error: InputError, config: Any) -> None:
    message = str(error)
    assert message.startswith(f"checkpoint: model type {config.model_type!r} ")
    assert "\n" not in message


def test_the_walk_meets_what_it_is_meant_to():
    """Windows that bite, layers of both kinds, soft caps and sinks are among what is built and read."""
    assert min(segment.prefix for segment in SEGMENTS) > WINDOW
    for kind in (
        "llama",
        "mistral",
        "qwen2",
        "qwen3",
        "gemma2",
        "gemma3_text",
        "gpt_oss",
        "cohere2",
        "olmo3",
        "exaone4",
    ):
        check_config(small_config(kind), kind)
    for kind in ("gemma2", "gpt_oss", "cohere2", "olmo3", "exaone4", "qwen2", "qwen3"):
        assert set(small_config(kind).layer_types) == {"sliding_attention", "full_attention"}
    assert small_config("gemma2").attn_logit_softcapping
    assert small_config("mistral").sliding_window == WINDOW
