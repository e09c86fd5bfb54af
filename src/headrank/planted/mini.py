"""The mini world's backbone: tokenizer and token vectors from the text of synthetic collections, heads planted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrank.errors import InputError
from headrank.planted.build import build_backbone
from headrank.planted.tokenizer import make_tokenizer, spellings, wordless

if TYPE_CHECKING:
    from headrank.data.collections import Document

WORD = re.compile(r"[^\W\d_]+")


def build_mini_backbone(
    spec: Mapping[str, Any], documents: Iterable[Document], directory: str | Path, where: str = "planted"
) -> None:
    """Build a backbone whose tokenizer knows the documents' words and whose vectors come from their text.

    Writes a Hugging Face checkpoint directory (see ``build_backbone``). Queries and judgements are never seen.
    """
    texts = [f" {document.title}\n{document.text}" for document in documents]
    if not texts:
        raise InputError(f"{where}: the collections to learn token vectors from hold no document")
    words = sorted({word for text in texts for word in WORD.findall(text)})
    tokenizer = make_tokenizer(words)
    sequences = tokenizer(texts, add_special_tokens=False)["input_ids"]
    inert = wordless(tokenizer, words)
    build_backbone(spec, tokenizer, sequences, directory, inert, spellings(tokenizer), where)
