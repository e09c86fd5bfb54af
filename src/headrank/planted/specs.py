"""The configuration of the mini world: its collections, and its backbones for synthetic and for real text."""

from __future__ import annotations

from dataclasses import dataclass, field

from headrank.specs import (
    Count,
    MoreThanOne,
    Natural,
    NotNegative,
    Positive,
    PositiveShare,
    Seed,
    Several,
    Share,
)


@dataclass(frozen=True)
class LanguageSpec:
    """Sizes of the language. The last ``held_out`` topics are those that training queries never use."""

    seed: Seed = 1
    topics: Count = 12
    held_out: Natural = 4
    concepts: Count = 50
    synonyms: Count = 2
    modifiers: Count = 40
    modifiers_per_concept: Count = 3
    general: Count = 120
    zipf: NotNegative = 0.5


@dataclass(frozen=True)
class CollectionSpec:
    """What a synthetic collection holds. Each ``kind`` has its own defaults (``synthetic.DOCUMENT_KINDS``); any key
    overrides them.

    queries: their number. query_concepts, general_words: least and most of each in a query. words: least and most words
    of a document's text; title_words: words of its title. graded: documents made for each query with all, all but one,
    and all but two of its concepts; exact: probability that they use the query's own word for a concept.
    distractors: documents made for each query that hold one of its words and none of its other concepts; stuffed: the
    same, with the query's general words as well; copies: least and most occurrences of that word in these. background:
    documents about no particular topic. company: probability that one of its modifiers precedes a concept, and
    likewise that one follows it.
    """

    kind: str
    seed: Seed
    queries: Count = 40
    language: LanguageSpec = field(default_factory=LanguageSpec)
    query_concepts: tuple[Natural, Natural] = (3, 5)
    general_words: tuple[Natural, Natural] = (0, 1)
    words: tuple[Natural, Natural] = (11, 14)
    title_words: Natural = 1
    graded: tuple[Natural, Natural, Natural] = (2, 3, 4)
    exact: Share = 0.55
    copies: tuple[Natural, Natural] = (1, 2)
    distractors: Natural = 10
    stuffed: Natural = 2
    background: Natural = 300
    company: Share = 0.65
    held_out_topics: bool = False


@dataclass(frozen=True)
class EmbeddingSpec:
    """semantic, identity: dimensions of the two parts. window: tokens on either side that count as company.

    power: exponent of the singular values; the smaller it is, the less the broad topics outweigh the rest.
    smoothing: exponent of the context frequencies in the mutual information (context distribution smoothing).
    least: tokens seen fewer times than this get no meaning, only an identity.
    """

    semantic: Count = 48
    identity: Count = 32
    window: Count = 1
    power: NotNegative = 0.5
    smoothing: NotNegative = 0.75
    least: Count = 2
    seed: Seed = 0


@dataclass(frozen=True)
class BackboneSpec:
    """Shape of the model and what is planted in it.

    planted: (layer, query head, quality); quality in (0, 1] is the share of the head's projection that matches
    content, the rest being random. semantic_share: share of meaning, as opposed to identity, in what is matched; the
    planted heads' shares are spaced evenly between its two values. sharpness: largest logit. position: weight of the
    near and far habits in matching heads, where content has weight 1. sink: weight of the pull to the first token.
    state_noise: standard deviation of output projections and MLP outputs.
    """

    seed: Seed
    layers: Count
    hidden: Count
    heads: Count
    kv_heads: Count
    planted: tuple[tuple[Natural, Natural, PositiveShare], ...]
    head_dim: Several = 32
    intermediate: Count = 96
    embedding: EmbeddingSpec = field(default_factory=EmbeddingSpec)
    rope_theta: MoreThanOne = 5e10
    longest: Count = 1500
    sharpness: Positive = 9.0
    semantic_share: tuple[Share, Share] = (0.9, 0.97)
    position: NotNegative = 0.15
    sink: NotNegative = 0.3
    state_noise: NotNegative = 0.004


@dataclass(frozen=True)
class Match:
    """What one matching head does.

    quality: cosine between query and key of the same word; the rest of both projections is random. meaning: share of
    meaning, as opposed to identity, in what is matched. sharpness: length of the logit vector: a perfect match and the
    sink each get about 0.7 of it. rarity: exponent of the inverse document frequency. share: mass of one occurrence of
    the rarest word, relative to 1 for the sink. repeat: how much lower the logit of a repetition in the same passage
    is. nearness: logit that a token loses (gains, if negative) over the slope pair's quarter of a circle.
    """

    quality: PositiveShare = 1.0
    meaning: Share = 0.0
    sharpness: Positive = 28.0
    rarity: NotNegative = 1.0
    share: Positive = 0.02
    repeat: NotNegative = 1.2
    nearness: float = 0.0


@dataclass(frozen=True)
class PlantedHead(Match):
    """A matching head and its place. Heads that share a key (grouped-query attention) share what the key determines:
    the meaning, repeat and quality of the first of them."""

    layer: Count = 2
    head: Natural = 0


@dataclass(frozen=True)
class RealTextSpec:
    """Shape of the backbone, the text it is made from, and its matching heads.

    words: passages are read up to this many words. longest: tokens of the longest prompt in which matching must not
    depend on position. continuation: factor on the rarity of word pieces that continue a word. state_noise: standard
    deviation of output projections and MLP outputs that belong to no circuit. embedding.identity must be the number
    of content dimensions that head_dim, rope_theta and longest leave (48 for the defaults).
    """

    planted: tuple[PlantedHead, ...]
    seed: Seed = 0
    layers: Several = 6
    hidden: Count = 160
    heads: Count = 6
    kv_heads: Count = 3
    head_dim: Several = 64
    intermediate: Count = 128
    words: Count = 64
    longest: Count = 5000
    rope_theta: MoreThanOne = 1e24
    continuation: NotNegative = 1.0
    state_noise: NotNegative = 0.002
    embedding: EmbeddingSpec = field(
        default_factory=lambda: EmbeddingSpec(semantic=40, identity=48, window=10, least=3)
    )
