"""A stand-in backbone for real text: a Qwen3 checkpoint with the real tokenizer, token vectors learnt from the
passages that it will read, and heads written by hand. It knows which words are alike and how rare they are, and
nothing else.

Neither queries nor judgements are used. All later stages treat the directory like any pretrained checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from headrank.errors import InputError, UsageError
from headrank.planted.checkpoint import save_checkpoint
from headrank.planted.circuits import Rotary
from headrank.planted.embeddings import token_vectors
from headrank.planted.families import word_families
from headrank.planted.specs import RealTextSpec
from headrank.planted.wiring import layout_of, plant_heads, token_states
from headrank.prompts.builder import PromptBuilder
from headrank.prompts.passage_length import truncate
from headrank.prompts.text_encoder import TextEncoder
from headrank.settings import PromptSettings
from headrank.specs import read_spec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from headrank.data.collections import Document

# Labels "[1]" to "[100]" mark the beginning of a passage; the texts of QUERY_SIDE begin what follows the passages.
LABELS = 100
QUERY_SIDE = (PromptSettings().instruction, "\n\nQuery:")
FIRST_TOKEN = "<|im_start|>"


def build_realtext(
    spec: Mapping[str, Any],
    corpora: Mapping[str, Iterable[Document]],
    tokenizer_path: str | Path,
    out_dir: str | Path,
    where: str = "realtext",
) -> None:
    """Build the backbone and write it as a Hugging Face checkpoint directory with planted.json beside the weights.

    spec: the keys of ``RealTextSpec``. corpora: the passages of each collection. tokenizer_path: a directory with a
    fast tokenizer of the Qwen3 chat frame. where: the spec's place in the configuration, for messages. Raises
    InputError for an unknown key, a shape that does not fit, or corpora without text.
    """
    checked = _check(read_spec(RealTextSpec, spec, where), where)
    tokenizer = _load_tokenizer(tokenizer_path, where)
    encoder = TextEncoder(tokenizer)
    sequences = encoder.encode(_texts(corpora, checked.words))
    if not any(sequences):
        raise InputError(f"{where}: the collections {', '.join(corpora) or '(none)'} hold no text")
    # The embedding has rows beyond the tokenizer's ids, as the published checkpoints do.
    vocabulary = -(-len(tokenizer) // 128) * 128
    families = word_families(tokenizer, sequences, vocabulary)
    # The prompt's own words match nothing: they are in every prompt and say nothing about the query.
    frame = PromptBuilder(tokenizer).build("?", [])
    inert = {*np.flatnonzero(families.inert).tolist(), *frame.prefix, *frame.null.ids}
    roots = families.root.tolist()
    # Only the frame's exact tokens are inert, not the families that they lead.
    roots = [i if i in inert else root for i, root in enumerate(_reroot(roots, inert))]
    vectors = token_vectors(sequences, vocabulary, checked.embedding, inert, roots)
    labels = encoder.encode([f"\n\n[{i}]" for i in range(1, LABELS + 1)])
    starts = {next((t for t in label if "[" in tokenizer.decode([t])), label[0]) for label in labels}
    ends = {
        next((t for t in ids if str(tokenizer.decode([t])).strip()), ids[0])
        for ids in encoder.encode(QUERY_SIDE)
    }
    sink = tokenizer(FIRST_TOKEN, add_special_tokens=False)["input_ids"]
    states = token_states(checked, vectors, families, sink, sorted(starts), sorted(ends))
    model, roles = plant_heads(checked, states, where)
    truth = {"planted_heads": [[p.layer, p.head, p.quality] for p in checked.planted], "roles": roles}
    save_checkpoint(model, tokenizer, truth, out_dir)


def _check(spec: RealTextSpec, where: str) -> RealTextSpec:
    if spec.kv_heads < 1 or spec.heads % spec.kv_heads:
        raise UsageError(f"{where}.kv_heads: {spec.kv_heads} does not divide heads ({spec.heads})")
    group = spec.heads // spec.kv_heads
    if layout_of(spec).used > spec.hidden:
        raise UsageError(
            f"{where}.hidden: {spec.hidden} is too small, the token states take {layout_of(spec).used}"
        )
    for p in spec.planted:
        place = f"{where}.planted: [{p.layer}, {p.head}]"
        if not (0 <= p.layer < spec.layers and 0 <= p.head < spec.heads):
            raise UsageError(f"{place}: no such head")
        if p.layer <= 1 and p.head < group:
            raise UsageError(f"{place}: the first key-value head of layers 0 and 1 is taken by a circuit")
        if not (0 < p.quality <= 1 and 0 <= p.meaning <= 1 and p.share > 0 and p.repeat >= 0):
            raise UsageError(
                f"{place}: quality and meaning must lie in 0..1, share must be above 0 and repeat at least 0"
            )
        if p.sharpness <= 2**0.5 * p.repeat:
            raise UsageError(f"{place}: sharpness {p.sharpness} is too small for repeat {p.repeat}")
    if len({(p.layer, p.head) for p in spec.planted}) < len(spec.planted):
        raise UsageError(f"{where}.planted: a head is named twice")
    content = len(Rotary.of(spec.head_dim, spec.rope_theta, spec.longest, where).content)
    if spec.embedding.identity != content or not 0 < spec.embedding.semantic < content:
        raise UsageError(
            f"{where}.embedding: head_dim and rope_theta leave {content} dimensions for content; "
            "set identity to that many and semantic to fewer"
        )
    return spec


def _load_tokenizer(path: str | Path, where: str) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(path), trust_remote_code=False)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{where}: no usable tokenizer at {path} ({reason})") from error


def _texts(corpora: Mapping[str, Iterable[Document]], words: int) -> list[str]:
    """Title and truncated text of every passage, as the prompt renders them."""
    texts = []
    for documents in corpora.values():
        for document in documents:
            body = truncate(document.text.strip(), words)
            parts = [part for part in (document.title.strip(), body) if part]
            if parts:
                texts.append(" " + "\n".join(parts))
    return texts


def _reroot(roots: list[int], inert: set[int]) -> list[int]:
    """Where a family's first token became inert, its first token that did not is the new root."""
    leader: dict[int, int] = {}
    for i, root in enumerate(roots):
        if i not in inert:
            leader.setdefault(root, i)
    return [leader.get(root, root) for root in roots]
