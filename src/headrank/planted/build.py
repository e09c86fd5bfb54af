"""Plants attention heads in a real Qwen3 checkpoint: what each head does is known, but no later stage is told.

A head's logit in Qwen3 is sqrt(head_dim) * w_q * w_k * cos(q, k), because q_norm and k_norm scale the rows to length
one. So a head matches content if q and k use the same projection of the token vectors, placed on the slow rotary
pairs, which position hardly turns. Constants on faster pairs make a head look at near or at far tokens. The values,
output projections and MLPs are random but small, so that they hardly change a token's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from headrank.errors import UsageError
from headrank.planted.checkpoint import blank_model, save_checkpoint
from headrank.planted.embeddings import TokenVectors, token_vectors
from headrank.planted.specs import BackboneSpec
from headrank.specs import read_spec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

Floats = NDArray[np.float64]
# Coordinates of a token's state besides its meaning and identity.
EXTRA = ("idf", "constant", "inert", "sink")
ROLES = ("noise", "recent", "first", "sink")


def build_backbone(
    spec: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    sequences: Iterable[Sequence[int]],
    directory: str | Path,
    inert: Iterable[int] = (),
    fold: Sequence[int] | None = None,
    where: str = "planted",
) -> None:
    """Build the backbone of a spec and write it as a Hugging Face checkpoint directory, whole or not at all.

    sequences: token ids of the text that token vectors come from; inert, fold: see ``token_vectors`` (the control
    tokens are always inert). The directory also gets planted.json, which says what each head was built to do. Raises
    InputError for an unknown key or a shape that does not fit.
    """
    checked = _check(read_spec(BackboneSpec, spec, where), where)
    vocabulary = len(tokenizer)
    silent = {*inert, *tokenizer.get_added_vocab().values()}
    vectors = token_vectors(sequences, vocabulary, checked.embedding, silent, fold)
    first = tokenizer.encode("<|im_start|>", add_special_tokens=False)
    model, roles = plant(checked, vectors, sink_tokens=first)
    truth = {"planted_heads": [list(p) for p in checked.planted], "roles": roles}
    save_checkpoint(model, tokenizer, truth, directory)


def _check(spec: BackboneSpec, where: str) -> BackboneSpec:
    if spec.heads % spec.kv_heads:
        raise UsageError(f"{where}.kv_heads: {spec.kv_heads} does not divide heads ({spec.heads})")
    if spec.embedding.semantic + spec.embedding.identity + len(EXTRA) > spec.hidden:
        raise UsageError(
            f"{where}.hidden: {spec.hidden} is too small for the token vectors and {len(EXTRA)} more"
        )
    for layer, head, quality in spec.planted:
        if not (0 <= layer < spec.layers and 0 <= head < spec.heads and 0 < quality <= 1):
            raise UsageError(f"{where}.planted: no such head or quality: [{layer}, {head}, {quality}]")
    if len({p[:2] for p in spec.planted}) < len(spec.planted):
        raise UsageError(f"{where}.planted: a head is named twice")
    Pairs.of(spec, where)
    return spec


@dataclass(frozen=True)
class Pairs:
    """Which dimensions of a head do what. Pair i of the rotary encoding is dimensions i and i + head_dim / 2.

    content: slow pairs, which turn little over the longest prompt. sink: the slowest pair. far: the pair that turns
    about half a circle over the longest prompt. near: fast pairs, except the two fastest, which inert tokens use. Each
    number is that of the pair's first dimension.
    """

    content: tuple[int, ...]
    far: int
    near: tuple[int, ...]
    sink: int
    half: int

    @classmethod
    def of(cls, spec: BackboneSpec, where: str) -> Pairs:
        half = spec.head_dim // 2
        turn = spec.longest * spec.rope_theta ** (-np.arange(half) / half)
        slow = [i for i in range(half) if turn[i] <= 1.25]
        far = int(np.argmin(np.abs(np.log(turn / np.pi))))
        near = tuple(range(2, min(far, 5)))
        if len(slow) < 5 or far in slow or not near:
            raise UsageError(
                f"{where}.rope_theta: {spec.rope_theta:g} leaves too few slow pairs; make it larger"
            )
        return cls(tuple(slow[:-1]), far, near, slow[-1], half)

    @property
    def content_rows(self) -> list[int]:
        """Dimensions that hold content: both halves of the slow pairs."""
        return [*self.content, *(i + self.half for i in self.content)]


def plant(
    spec: BackboneSpec, vectors: TokenVectors, sink_tokens: Sequence[int]
) -> tuple[Qwen3ForCausalLM, dict[str, str]]:
    """The model of a spec, and the role of each head by "layer-head"."""
    rng = np.random.default_rng(spec.seed)
    model = blank_model(spec, len(vectors.idf), positions=8192)
    painter = _Heads(spec, rng)
    roles: dict[str, str] = {}
    with torch.no_grad():
        model.model.embed_tokens.weight.copy_(_tensor(_states(spec, vectors, sink_tokens)))
        for number, layer in enumerate(model.model.layers):
            attention = layer.self_attn
            query, key, names = painter.layer(number)
            roles.update({f"{number}-{head}": name for head, name in enumerate(names)})
            attention.q_proj.weight.copy_(_tensor(query))
            attention.k_proj.weight.copy_(_tensor(key))
            # logit = sqrt(head_dim) * w^2 * cos
            scale = (spec.sharpness / spec.head_dim**0.5) ** 0.5
            attention.q_norm.weight.fill_(scale)
            attention.k_norm.weight.fill_(scale)
            for module, std in (
                (attention.v_proj, 0.1),
                (attention.o_proj, spec.state_noise),
                (layer.mlp.gate_proj, 0.05),
                (layer.mlp.up_proj, 0.05),
                (layer.mlp.down_proj, spec.state_noise),
            ):
                module.weight.copy_(_tensor(std * rng.standard_normal(tuple(module.weight.shape))))
    return model, roles


def _tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).float()


def _states(spec: BackboneSpec, vectors: TokenVectors, sink_tokens: Sequence[int]) -> Floats:
    """(V, hidden) token embeddings: meaning, identity, idf, constant, inert flag, sink flag, zeros."""
    states = np.zeros((len(vectors.idf), spec.hidden))
    s, i = spec.embedding.semantic, spec.embedding.identity
    states[:, :s] = vectors.semantic
    states[:, s : s + i] = vectors.identity
    idf, constant, inert, sink = range(s + i, s + i + len(EXTRA))
    states[:, idf] = np.where(vectors.inert, 0.0, vectors.idf - 0.5)
    states[:, constant] = 0.5
    states[:, inert] = vectors.inert
    states[sink_tokens, sink] = 1.5
    found: Floats = states / np.sqrt((states**2).mean(axis=1, keepdims=True))
    return found


class _Heads:
    """Writes the query and key projections of one layer after another."""

    def __init__(self, spec: BackboneSpec, rng: np.random.Generator) -> None:
        self.spec = spec
        self.rng = rng
        self.pairs = Pairs.of(spec, "planted")
        self.lean = 1.0
        self.quality = {(layer, head): quality for layer, head, quality in spec.planted}
        shares = np.linspace(*spec.semantic_share, max(len(spec.planted), 1))
        self.share = {(p[0], p[1]): float(share) for p, share in zip(spec.planted, shares, strict=True)}
        s, i = spec.embedding.semantic, spec.embedding.identity
        self.idf, self.constant, self.inert, self.sink = range(s + i, s + i + len(EXTRA))

    def layer(self, number: int) -> tuple[Floats, Floats, list[str]]:
        """Query (heads * head_dim, hidden) and key (kv_heads * head_dim, hidden) weights, and the heads' roles."""
        spec, group = self.spec, self.spec.heads // self.spec.kv_heads
        query, key, roles = [], [], []
        for kv in range(spec.kv_heads):
            heads = range(kv * group, (kv + 1) * group)
            qualities = [self.quality.get((number, head), 0.0) for head in heads]
            best = max(qualities)
            if best > 0:
                share = self.share[(number, heads[int(np.argmax(qualities))])]
                match = self._match(share)
                key.append(
                    self._content(match, best) + self._habits(key=True, far=spec.position, sink=spec.sink)
                )
                for quality in qualities:
                    # Matching heads prefer near or far tokens, alternately, so that together they neglect the middle.
                    self.lean = -self.lean
                    habits = self._habits(key=False, far=self.lean * spec.position, sink=spec.sink)
                    query.append(self._content(match, quality) + habits)
                    roles.append("match" if quality else "noise")
                continue
            kind = ROLES[(number + kv) % len(ROLES)]
            for side, rows in ((True, key), *((False, query) for _ in heads)):
                rows.append(self._other(kind, side))
            roles += [kind if kind in ("noise", "sink") else "position"] * group
        return np.concatenate(query), np.concatenate(key), roles

    def _match(self, semantic_share: float) -> Floats:
        """A random projection of meaning and identity onto the content dimensions; it keeps lengths on average."""
        s, i = self.spec.embedding.semantic, self.spec.embedding.identity
        rows = self.pairs.content_rows
        match = np.zeros((self.spec.head_dim, self.spec.hidden))
        blocks = ((slice(0, s), semantic_share), (slice(s, s + i), 1 - semantic_share))
        for block, share in blocks:
            match[rows, block] = share**0.5 * self._random(len(rows), block.stop - block.start)
        return match

    def _random(self, rows: int, columns: int) -> Floats:
        """A random projection that keeps lengths on average; with fewer rows than columns, its rows are orthogonal."""
        q, _ = np.linalg.qr(self.rng.standard_normal((max(rows, columns), min(rows, columns))))
        return np.asarray((q if rows >= columns else q.T) * (columns / min(rows, columns)) ** 0.5)

    def _content(self, match: Floats, quality: float) -> Floats:
        """Rows that read content: ``quality`` times the match plus (1 - ``quality``) times a random projection."""
        return quality * match + (1 - quality) * self._match(0.5)

    def _other(self, kind: str, key: bool) -> Floats:
        """Rows of a head that matches nothing: unrelated random projections in q and k, plus the habit of its kind."""
        if kind == "noise":
            return self._match(0.5) + self._habits(key, sink=0.7)
        habits = {
            "recent": self._habits(key, near=1.0, inert=0.0),
            "first": self._habits(key, far=1.0 if key else -1.0, inert=0.0),
            "sink": self._habits(key, sink=1.5, inert=0.0),
        }
        return 0.15 * self._match(0.5) + habits[kind]

    def _habits(
        self, key: bool, near: float = 0.0, far: float = 0.0, sink: float = 0.0, inert: float = 3.0
    ) -> Floats:
        """Rows that read the constant, the sink flag and the inert flag.

        The product of two constants on a pair of frequency f is cos(f * distance): high for near tokens and low for far
        ones; with opposite signs in q and k it is the other way round. ``sink`` pulls every query to the first token.
        """
        rows = np.zeros((self.spec.head_dim, self.spec.hidden))
        # The factor 2: the constant is half as large as the length of a content vector.
        for pair in self.pairs.near:
            rows[pair, self.constant] = 2 * near / len(self.pairs.near) ** 0.5
        rows[self.pairs.far, self.constant] = 2 * far
        if key:
            rows[self.pairs.sink, self.sink] = 2.0
        else:
            rows[self.pairs.sink, self.constant] = 2 * sink
        # Inert tokens point where the other side has nothing: their queries to one fast pair, their keys to another.
        rows[1 if key else 0, self.inert] = inert
        return rows
