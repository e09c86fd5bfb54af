"""ReAttn: words of tokens, weights by document frequency, and the entropy term, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import builder, tiny_backbone

from headrank.data.collections import Document
from headrank.engine.forward import Reading, read_prompts
from headrank.heads.head_set import HeadSet
from headrank.prompts.stems import stems
from headrank.rerankers import core, headrank, icr, qrhead
from headrank.rerankers.reattn import reattn, token_spread
from headrank.settings import Settings

HEADS = HeadSet("core", "tiny", 4, 4, ((1, 1), (2, 1)), (1.0, 0.5))
DOCUMENTS = [
    Document("a", "Rivers", "red oaks, and a river"),
    Document("b", "", "the river is blue"),
    Document("c", "", "oaken stone"),
]


def read(query: str, documents: list[Document], sources: list[tuple[str, str]]) -> Reading:
    backbone = tiny_backbone("qwen3")
    with torch.no_grad():
        return next(
            iter(read_prompts(backbone, [builder().build(query, documents)], backbone.all_heads(), sources))
        )


def test_stems_by_character():
    found = stems("Rivers, oak")
    assert [found.get(i, "-") for i in range(11)] == ["river"] * 6 + ["-", "-"] + ["oak"] * 3


def test_each_token_knows_its_word():
    made = builder()
    document = DOCUMENTS[0]
    words = made.passage_words(document)
    start, stop = made.build("red", [document]).text[0]
    assert len(words) == stop - start
    # One token a byte: each letter belongs to its word, blanks and marks to none.
    text = " Rivers\nred oaks, and a river"
    expected = ["river" if 1 <= i <= 6 or i >= 24 else None for i in range(len(text))]
    assert all(word == want for word, want in zip(words, expected, strict=True) if want)
    assert [words[i] for i in (0, 7, text.index(","))] == ["", "", ""]
    assert words[text.index("oaks")] == "oak"


def test_control_strings_and_odd_characters_keep_words_and_tokens_together():
    made = builder()
    for text in ("before <|im_end|> after", "naïve <think> ﬁsh 🐟 end", "\ud800 lone", "  "):
        document = Document("x", "", text)
        start, stop = made.build("red", [document]).text[0]
        words = made.passage_words(document)
        assert len(words) == stop - start
    assert "after" in set(made.passage_words(Document("x", "", "before <|im_end|> after")))


def test_query_words_count_by_the_documents_that_have_them():
    method = reattn(icr(tiny_backbone("qwen3")), builder())
    reading = read("rivers of stone", DOCUMENTS, list(method.sources))
    weights = method.token_weights(reading, "rivers of stone", DOCUMENTS)
    spans = reading.prompt.text
    # river stands in two of three documents, stone in one; other words count whole.
    river, stone = math.log(4 / 3) / math.log(4), math.log(4 / 2) / math.log(4)
    first = builder().passage_words(DOCUMENTS[0])
    expected = [river if word == "river" else 1.0 for word in first]
    np.testing.assert_allclose(weights[slice(*spans[0])], expected, rtol=1e-6)
    assert float(weights[spans[2][1] - 1]) == pytest.approx(stone)
    outside = torch.ones(len(weights), dtype=torch.bool)
    for start, stop in spans:
        outside[start:stop] = False
    assert bool((weights[outside] == 1).all())


def test_the_spread_is_the_entropy_of_each_document_s_tokens():
    tokens = torch.tensor([9.0, 1.0, 1.0, -5.0, 2.0, 0.0, 3.0])
    found = token_spread(tokens, [(1, 4), (4, 6), (6, 7)])
    np.testing.assert_allclose(found, [math.log(2) / math.log(3), 0.0, 0.0], atol=1e-6)
    assert float(token_spread(torch.ones(4), [(0, 4)])[0]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "base", [icr(tiny_backbone("qwen3")), qrhead(HEADS), core(HEADS), headrank(HEADS, Settings())]
)
def test_scores_are_the_base_s_on_weighted_masses(base):  # type: ignore[no-untyped-def]
    query = "red oak"
    reading = read(query, DOCUMENTS, list(base.sources))
    rows = [layer * 4 + head for layer, head in base.heads]
    own = Reading(reading.prompt, {source: reading.mass[source][rows] for source in base.sources})
    method = reattn(base, builder(), entropy_weight=0.0)
    assert method.name == f"reattn-{base.name}"
    weights = method.token_weights(own, query, DOCUMENTS)
    weighted = Reading(own.prompt, {source: mass * weights for source, mass in own.mass.items()})
    expected = base.scores(weighted, query, DOCUMENTS)
    torch.testing.assert_close(method.scores(own, query, DOCUMENTS), expected)
    assert not torch.allclose(expected, base.scores(own, query, DOCUMENTS))
    # The entropy term lifts positive scores by at most its weight.
    lifted = reattn(base, builder(), entropy_weight=0.5).scores(own, query, DOCUMENTS) / expected
    assert bool(((lifted >= 1) & (lifted <= 1.5)).all())
    assert bool((lifted > 1).any())


def test_a_query_without_words_in_the_documents_changes_nothing_but_the_spread():
    base = core(HEADS)
    reading = read("zebra", DOCUMENTS, list(base.sources))
    own = Reading(reading.prompt, {source: reading.mass[source][[5, 9]] for source in base.sources})
    method = reattn(base, builder(), entropy_weight=0.0)
    torch.testing.assert_close(method.scores(own, "zebra", DOCUMENTS), base.scores(own, "zebra", DOCUMENTS))
