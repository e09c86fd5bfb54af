"""Each backbone family as a whole: a tiny checkpoint of its architecture, a tokenizer with its frame, one ranking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from families import CONTROL, family_tokenizer
from support import passages, tiny_config
from transformers import AutoModelForCausalLM

from headrank.data.collections import Document
from headrank.engine.backbone import load_backbone
from headrank.heads.head_set import HeadSet
from headrank.prompts.builder import FAMILIES, PromptBuilder
from headrank.rerankers import core, headrank, icr, qrhead, rerank_together
from headrank.rerankers.candidates import Candidates
from headrank.settings import PromptSettings, Settings

ARCHITECTURES = {
    "qwen3": "qwen3",
    "qwen2.5": "qwen2",
    "llama3": "llama",
    "mistral": "mistral",
    "granite": "granite",
    "gemma": "gemma3",
}


def family_checkpoint(family: str, folder: Path) -> Path:
    tokenizer = family_tokenizer(family)
    torch.manual_seed(0)
    # A window that the query's rows see passages through.
    own = {"sliding_window": 512} if family == "gemma" else {}
    config: Any = tiny_config(ARCHITECTURES[family], vocab_size=len(tokenizer), **own)
    AutoModelForCausalLM.from_config(config).float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_every_method_ranks_on_every_family(family: str, tmp_path: Path) -> None:
    backbone = load_backbone(family_checkpoint(family, tmp_path))
    builder = PromptBuilder(backbone.tokenizer, PromptSettings(family=family))
    documents = (
        *passages(5),
        Document("bad", "", f"{FAMILIES[family].closing} <s>"),
        Document("none", "", ""),
    )
    prompt = builder.build("red oak", documents)
    ids, frame = [*prompt.prefix, *prompt.query.ids], FAMILIES[family]
    text = backbone.tokenizer.decode(ids, skip_special_tokens=False)
    assert text.startswith(("<s>" if frame.bos else "") + frame.opening + " Here are some paragraphs:")
    assert text.endswith(f"Query: red oak{frame.closing}")
    # Control tokens stand in the frame and nowhere else: the last passage but one spells them out.
    control = set(backbone.tokenizer.get_added_vocab().values())
    expected = CONTROL.findall(frame.opening + frame.closing)
    found = [backbone.tokenizer.convert_ids_to_tokens(i) for i in ids if i in control]
    assert found == (["<s>", *expected] if frame.bos else expected)
    heads = HeadSet("x", "tiny", 4, backbone.n_heads, ((2, 1), (0, 3)), (1.0, 0.5))
    methods = [icr(backbone), qrhead(heads), core(heads), headrank(heads, Settings())]
    frames = rerank_together(
        backbone, builder, methods, [Candidates("q", "red oak", documents)], "best-first"
    )
    for ranking in frames.values():
        assert sorted(ranking["docid"]) == sorted(d.docid for d in documents)
        assert ranking["docid"].iloc[-1] == "none"
        assert ranking["score"].nunique() > 5
