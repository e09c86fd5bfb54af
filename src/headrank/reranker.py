"""The reranker as a search stack uses it: load an adapter once, rank passages for a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from headrank.data.beir import check_query
from headrank.data.collections import Document
from headrank.engine.backbone import Backbone, identify, load_backbone
from headrank.errors import InputError, shown
from headrank.methods.table import trained_as
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers import Method, rerank_together, trained
from headrank.rerankers.candidates import Candidates
from headrank.settings import PromptSettings, Settings, to_mapping
from headrank.specs import read_spec
from headrank.training.saved_adapter import read_adapter

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RankedPassage:
    """One passage of a result: its place in the input (from 0), its score, and the passage itself."""

    index: int
    score: float
    document: Document


@dataclass(frozen=True)
class Reranker:
    """A trained adapter on its truncated backbone.

    method: its name is what the adapter was trained as in its study, such as a variant's name. kind: the method of the
    table of methods that it is.
    """

    backbone: Backbone
    builder: PromptBuilder
    method: Method
    settings: Settings
    kind: str = "headrank"

    @classmethod
    def load(
        cls,
        adapter: str | Path,
        backbone: str | None = None,
        dtype: str = "auto",
        device: str = "auto",
        revision: str | None = None,
        *,
        truncate_words: int | None = None,
        truncate_tokens: int | None = None,
    ) -> Reranker:
        """Load an adapter folder as training wrote it.

        backbone: folder, GGUF file or hub id of the base model; by default the one that the adapter names, at the
        commit that it names. revision: commit of a base from the hub. Only the layers up to the deepest chosen head are
        loaded. truncate_words, truncate_tokens: cut passages to this many words or, if tokens are given, to this many
        tokens, instead of as in training. Raises InputError when a file of the adapter or the base model is not that of
        training. Where the adapter does not say what its base was made of, as those of earlier versions with a base
        from the hub, another name of the base is reported.
        """
        saved = read_adapter(adapter)
        base = backbone or saved.base.name
        commit = revision or (saved.revision if base == saved.base.name else None)
        saved.fits(identify(base, commit))
        heads, settings = saved.heads, saved.settings
        if truncate_words is not None or truncate_tokens is not None:
            words = settings.prompt.truncate_words if truncate_words is None else truncate_words
            length = {"truncate_words": words, "truncate_tokens": truncate_tokens}
            prompt = read_spec(PromptSettings, {**to_mapping(settings.prompt), **length}, "passages")
            settings = replace(settings, prompt=prompt)
        model = load_backbone(base, heads.depth, dtype, device, commit, adapter)
        builder = PromptBuilder(model.tokenizer, settings.prompt, encoding=settings.encoding)
        kind = trained_as(heads, settings)
        method = trained(heads, settings, saved.name or kind)
        return cls(model, builder, method, settings, kind)

    def rerank(self, query: str, passages: Iterable[str | Document]) -> list[RankedPassage]:
        """Rank passages for one query, best first; the result is a permutation of the input.

        Give the passages in first-stage order: it is the order of the prompt, and it breaks ties. Raises InputError for
        a query without text, a single text in place of a list, and a passage that is neither text nor Document.
        """
        # A text is iterable too: its letters would be ranked; of a mapping, the keys.
        if isinstance(passages, str | bytes | Document | Mapping) or not isinstance(passages, Iterable):
            raise InputError(f"passages: expected a list of texts or Documents, got {shown(passages)}")
        if not isinstance(query, str):
            raise InputError(f"query: expected a text, got {shown(query)}")
        check_query(query, query, "rerank")
        texts = [(p.title, p.text) if isinstance(p, Document) else ("", p) for p in passages]
        # Own ids, since the caller's need not be unique.
        documents = tuple(Document(str(i), title, text) for i, (title, text) in enumerate(texts))
        if not documents:
            return []
        frame = self.rerank_all([Candidates("query", query, documents)])
        return [
            RankedPassage(int(docid), float(score), documents[int(docid)])
            for docid, score in zip(frame["docid"], frame["score"], strict=True)
        ]

    def rerank_all(self, candidates: Sequence[Candidates]) -> pd.DataFrame:
        """Rank many queries' candidates; returns a frame as ``rerank_together`` makes it."""
        order = self.settings.candidates.order
        return rerank_together(self.backbone, self.builder, [self.method], candidates, order)[
            self.method.name
        ]
