"""NaN and infinite numbers end in an error that names model, layer and query; none becomes a ranking."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support import builder, byte_tokenizer, checkpoint, passages, tiny_backbone

from headrank import score_prepared
from headrank.cli import main
from headrank.engine.attention import attention_rows
from headrank.engine.backbone import Backbone, load_backbone
from headrank.engine.extract import collect_features
from headrank.engine.finite import NotFinite, all_finite
from headrank.engine.forward import read_prompts
from headrank.errors import InputError
from headrank.generative.settings import GenerativeSettings
from headrank.heads.head_set import HeadSet
from headrank.methods.ask import rerank_asked
from headrank.methods.table import ASKED
from headrank.planted.tokenizer import CHAT_TEMPLATE
from headrank.rerankers import Candidates, core, headrank, icr, qrhead, rerank_together
from headrank.rerankers.frozen import rerank_frozen
from headrank.settings import Settings

NAN, INF = float("nan"), float("inf")
CANDIDATES = [Candidates("q7", "red oak", tuple(passages(4)))]


def backbone(
    change: Callable[[Any], None] | None = None, dtype: str = "float32", kind: str = "qwen3"
) -> Backbone:
    loaded = load_backbone(checkpoint(kind), dtype=dtype)
    loaded.tokenizer.chat_template = CHAT_TEMPLATE
    if change:
        with torch.no_grad():
            change(loaded.model)
    return loaded


def row(part: str, layer: int, value: float) -> Callable[[Any], None]:
    """Sets one row of a projection's weights."""

    def change(model: Any) -> None:
        module = model.model.layers[layer]
        for name in part.split("."):
            module = getattr(module, name)
        module.weight[5] = value

    return change


def overflow(model: Any) -> None:
    for weight in model.model.layers[0].mlp.parameters():
        weight *= 300


def methods(on: Backbone) -> list[Any]:
    heads = HeadSet("made-up", on.name, 4, on.n_heads, ((3, 0), (2, 1)), (0.0, 0.0))
    return [icr(on), qrhead(heads), core(heads), headrank(heads, Settings())]


@pytest.mark.parametrize(("kind", "value"), [("qwen3", NAN), ("gemma2", INF)])
@pytest.mark.parametrize(
    ("part", "layer", "place"),
    [
        ("self_attn.q_proj", 3, "layer 3, attention of head 0"),
        ("self_attn.k_proj", 3, "layer 3, attention of head 0"),
        ("self_attn.q_proj", 1, "layer 1"),
        ("self_attn.v_proj", 1, "layer 1"),
        ("mlp.down_proj", 0, "layer 0"),
    ],
)
def test_no_method_ranks_by_them(kind: str, value: float, part: str, layer: int, place: str):
    on = backbone(row(part, layer, value), kind=kind)
    for method in methods(on):
        with pytest.raises(NotFinite) as caught:
            rerank_together(on, builder(kind), [method], CANDIDATES, "best-first")
        message = str(caught.value)
        assert message.startswith(
            f"query 'q7': {on.name}: numbers that are not finite (NaN or infinite) from {place};"
        )
        assert "\n" not in message


def test_what_overflows_in_16_bits_is_told_to_use_others():
    on = backbone(overflow, "float16")
    with pytest.raises(
        NotFinite, match=r"query 'q7': .* from layer 0; float16 holds no number above 65504: use"
    ):
        rerank_together(on, builder(), [icr(on)], CANDIDATES, "best-first")
    rerank_together(backbone(overflow), builder(), [icr(on)], CANDIDATES, "best-first")


def test_the_query_that_meets_them_is_named_among_those_of_a_pass():
    """Only the third query has a letter whose embedding is damaged; the first two are ranked."""
    letter = byte_tokenizer()("z", add_special_tokens=False)["input_ids"][0]

    def change(model: Any) -> None:
        model.model.embed_tokens.weight[letter, 0] = NAN

    on = backbone(change)
    three = [Candidates(f"q{i}", f"red oak{'z' * (i == 2)}", tuple(passages(3))) for i in range(3)]
    prompts = [builder().build(c.query, c.documents) for c in three]
    readings = read_prompts(on, prompts, on.all_heads(), [("query", "query")], tokens_per_pass=10**6)
    assert [next(readings).prompt, next(readings).prompt] == prompts[:2]
    with pytest.raises(NotFinite, match="from the token embeddings;"):
        next(readings)
    with pytest.raises(NotFinite, match="query 'q2': "):
        rerank_together(on, builder(), [icr(on)], three, "best-first", 10**6)
    lists = {str(i): (c.query, c.documents) for i, c in enumerate(three)}
    with pytest.raises(InputError, match=r"list 2 \(query 'red oakz'\): .* from the token embeddings;"):
        collect_features(on, builder(), lists, "query", "text", 10**6)


def test_no_reading_of_any_kind_lets_them_through():
    on = backbone(row("self_attn.q_proj", 3, NAN))
    ids = torch.tensor([list(range(20))])
    with pytest.raises(NotFinite, match="layer 3: its attention is not finite"):
        attention_rows(on.decoder, ids, torch.ones_like(ids), [(15, 20)], {2: [0], 3: [0, 1]})
    with pytest.raises(NotFinite, match="layer 3, attention of head 0"):
        score_prepared(on, list(range(20)), [(2, 8), (8, 12)], (15, 20))
    with pytest.raises(NotFinite, match="query 'q7'"):
        rerank_frozen(on, builder(), [], CANDIDATES, Settings())
    # Heads and states below the damage are what they are without it.
    prompt = [builder().build("red oak", passages(3))]
    (found,) = read_prompts(on, prompt, [(2, 1)], [("query", "query")], states_layer=2)
    (expected,) = read_prompts(tiny_backbone("qwen3"), prompt, [(2, 1)], [("query", "query")], states_layer=2)
    torch.testing.assert_close(found.mass, expected.mass)
    on = backbone(row("mlp.down_proj", 1, NAN))
    with pytest.raises(NotFinite, match="from layer 1;"):
        list(read_prompts(on, prompt, [(2, 1)], [("query", "query")], states_layer=2))


def test_what_is_never_read_is_no_fault():
    """The pass ends within the attention of the deepest layer, before its values are mixed."""
    on = backbone(row("self_attn.v_proj", 3, NAN))
    found = rerank_together(on, builder(), [icr(on)], CANDIDATES, "best-first")["icr"]
    whole = tiny_backbone("qwen3")
    expected = rerank_together(whole, builder(), [icr(whole)], CANDIDATES, "best-first")["icr"]
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-6)


@pytest.mark.parametrize("name", list(ASKED))
def test_no_method_that_asks_ranks_by_them(name: str):
    settings = GenerativeSettings(window=4, stride=2, new_tokens=3)
    for change, place in [
        (row("mlp.down_proj", 1, NAN), "layer 1"),
        (row("mlp.down_proj", 3, INF), "its last layer or LM head"),
        (lambda model: model.lm_head.weight.fill_(NAN), "its last layer or LM head"),
    ]:
        on = backbone(change, kind="llama")
        with pytest.raises(NotFinite, match=rf"^query 'q7': {on.name}: .* from {place};"):
            rerank_asked(name, on, CANDIDATES, settings)


def test_sums_find_what_is_not_finite():
    fine = torch.ones(2, 3, dtype=torch.float16) * 60000
    assert all_finite([])
    assert all_finite([fine, fine])
    for bad in (NAN, INF, -INF):
        assert not all_finite([fine, torch.tensor([1.0, bad, 2.0])])
    assert not all_finite([torch.tensor([INF, -INF])])


def test_the_command_line_ends_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    model = tmp_path / "damaged"
    copytree(checkpoint("qwen3"), model)
    tensors = load_file(model / "model.safetensors")
    tensors["model.layers.3.self_attn.q_proj.weight"][0] = NAN
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "run.trec").write_text("q1 Q0 d1 1 2 t\nq1 Q0 d2 2 1 t\n")
    (tmp_path / "queries.tsv").write_text("q1\tred oak\n")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "text": "oak"}\n{"_id": "d2", "text": "red"}\n')
    given = {"backbone": model, "queries": tmp_path / "queries.tsv", "corpus": tmp_path / "corpus.jsonl"}
    options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    output = tmp_path / "out.trec"
    status = main(
        ["rerank", "--method", "icr", *options, "--run", str(tmp_path / "run.trec"), "--output", str(output)]
    )
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert status != 0
    assert message.startswith(
        f"error: query 'q1': {model}: numbers that are not finite (NaN or infinite) from layer 3"
    )
    assert not output.exists()
