"""The stand-in for real text, built from a few passages with a tokenizer of the Qwen3 frame."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from support import byte_tokenizer

from headrank.data.collections import Document
from headrank.engine.backbone import load_backbone
from headrank.engine.forward import read_prompts
from headrank.engine.scoring import Kernel, head_scores
from headrank.errors import InputError
from headrank.planted.realtext import build_realtext
from headrank.prompts.builder import PromptBuilder

pytestmark = pytest.mark.slow

SPEC = {
    "planted": [
        {"layer": 2, "head": 0, "repeat": 2.5},
        {"layer": 2, "head": 2, "repeat": 0.0},
        {"layer": 3, "head": 2, "quality": 0.8},
    ],
    "longest": 2000,
}
TOPICS = {
    "river": "rivers carry water from mountains through valleys into lakes and finally into the open sea",
    "bread": "bakers knead dough from flour and yeast then bake loaves of bread in a hot stone oven",
    "engine": "engines burn fuel inside cylinders so that pistons turn a crankshaft which drives the wheels",
    "violin": "violins have four strings and a wooden body whose shape gives the instrument its sound",
    "planet": "planets circle a star on orbits shaped like ellipses and reflect the light that reaches them",
    "garden": "gardens need soil sunlight and patience before seeds become flowers or vegetables for the table",
}
KERNEL = Kernel("query", "text", calibrate=False, outlier_mask=False)


@pytest.fixture(scope="module")
def tokenizer_folder(shared_data: Path) -> Path:
    folder = shared_data / "qwen3-tokenizer"
    if not (folder / "tokenizer.json").is_file():
        pytest.skip(f"no Qwen3 tokenizer in {folder}")
    return folder


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    # Every topic in several passages, so that no word of it is too rare to be learnt.
    return [
        Document(f"{name}-{i}", "", f"{text} number {i}") for i in range(6) for name, text in TOPICS.items()
    ]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path, documents: list[Document]
) -> Path:
    target = tmp_path_factory.mktemp("realtext") / "backbone"
    build_realtext(SPEC, {"topics": documents}, tokenizer_folder, target)
    return target


def test_planted_heads_find_the_passage_that_shares_the_querys_words(folder: Path, documents: list[Document]):
    backbone = load_backbone(folder)
    planted = [
        tuple(place[:2]) for place in json.loads((folder / "planted.json").read_text())["planted_heads"]
    ]
    assert planted == [(2, 0), (2, 2), (3, 2)]
    builder = PromptBuilder(backbone.tokenizer)
    passages = documents[: len(TOPICS)]
    queries = ["bread from flour and yeast", "four strings of violins", "orbits of planets"]
    wanted = [1, 3, 4]
    with torch.no_grad():
        for order in (range(len(passages)), reversed(range(len(passages)))):
            places = list(order)
            prompts = [builder.build(query, [passages[i] for i in places]) for query in queries]
            readings = read_prompts(backbone, prompts, planted, KERNEL.sources)
            best = [[places[i] for i in head_scores(r, KERNEL).argmax(dim=1).tolist()] for r in readings]
            assert best == [[i, i, i] for i in wanted]


def test_a_repetition_counts_less_only_within_its_passage(folder: Path):
    backbone = load_backbone(folder)
    texts = [
        "yeast lifts a loaf",
        "yeast and flour and yeast and salt and yeast",
        "flour alone",
        "yeast dies in heat",
    ]
    prompt = PromptBuilder(backbone.tokenizer).build(
        "yeast", [Document(str(i), "", t) for i, t in enumerate(texts)]
    )
    with torch.no_grad():
        (reading,) = read_prompts(backbone, [prompt], [(2, 0), (2, 2), (1, 0)], KERNEL.sources)
    damped, plain, circuit = head_scores(reading, KERNEL)
    assert (plain[1] / plain[0]).item() == pytest.approx(3, rel=0.1)
    assert 1 < damped[1] / damped[0] < 2
    # The last passage's word occurs in others before it, which is no repetition.
    assert (damped[3] / damped[0]).item() == pytest.approx(1, rel=0.1)
    assert circuit.sum() < 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidn": 96}, "realtext.hidn: unknown key"),
        ({"hidden": 32}, "realtext.hidden: 32 is too small"),
        ({"planted": [{"layer": 9, "head": 0}]}, "no such head"),
        ({"planted": [{"layer": 1, "head": 0}]}, "taken by a circuit"),
        ({"planted": [{"layer": 0, "head": 0}]}, "realtext.planted.layer: expected at least 1, got 0"),
    ],
)
def test_a_faulty_spec_is_refused_in_one_line(
    tmp_path: Path, tokenizer_folder: Path, change: dict[str, object], message: str
):
    with pytest.raises(InputError, match=message) as caught:
        build_realtext({**SPEC, **change}, {}, tokenizer_folder, tmp_path / "backbone")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "backbone").exists()


def test_corpora_without_text_are_refused(tmp_path: Path):
    tokenizer = tmp_path / "tokenizer"
    byte_tokenizer().save_pretrained(tokenizer)
    with pytest.raises(InputError, match="hold no text"):
        build_realtext(SPEC, {"empty": [Document("d", "", "")]}, tokenizer, tmp_path / "backbone")
