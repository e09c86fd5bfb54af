"""Memory and time that model jobs ask for follow from their models, queries and the machine's rates."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import gguf
import pytest
import yaml
from conftest import configuration, snakemake

from headrank.cost.model_shapes import SHAPES
from headrank.cost.multiply_adds import Shape, full_operations
from headrank.cost.predict import WORK, training_bytes

pytestmark = pytest.mark.slow

GIB_IN_MB = 1073.74


def limits(
    directory: Path, changes: dict[str, Any], name: str = "quick"
) -> dict[tuple[str, str], tuple[int, int]]:
    """(rule, backbone) -> (minutes, MB) of the first such job, from a dry run of a changed configuration."""
    config = yaml.safe_load(configuration(name).read_text(encoding="utf-8")) | changes
    file = directory / "changed.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    done = snakemake("-n", "--configfile", file, directory=directory)
    assert done.code == 0, done.err[-2000:]
    found: dict[tuple[str, str], tuple[int, int]] = {}
    # Rules for several adapters (train_1, train_2) by the stage that they are of.
    for rule, body in re.findall(r"^rule (\w+?)(?:_\d+)?:\n((?: {4}.*\n)+)", done.out, re.MULTILINE):
        backbone = re.search(r"wildcards:.*\bbackbone=([\w.-]+)", body)
        asked = dict(re.findall(r"(runtime|mem_mb)=(\d+)", body))
        if backbone is None or len(asked) < 2:
            continue
        found.setdefault((rule, backbone[1]), (int(asked["runtime"]), int(asked["mem_mb"])))
    return found


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[int, int]]:
    return limits(tmp_path_factory.mktemp("paper"), {}, "config")


def test_memory_covers_what_was_measured(paper: dict[tuple[str, str], tuple[int, int]]):
    # docs/scale.md: one prompt of 3,755 tokens at a time, libraries and weights included.
    measured = {
        ("features", "qwen3-0.6b"): 1.9,
        ("frozen", "qwen3-1.7b"): 3.5,
        ("rerank", "qwen3-0.6b"): 1.3,
        ("rerank", "qwen3-4b"): 4.4,
    }
    for job, gib in measured.items():
        assert gib * GIB_IN_MB < paper[job][1] < 32000, job


def test_training_without_a_gpu_asks_for_what_gradients_keep(tmp_path: Path):
    asked = {
        device: limits(tmp_path, {"device": device})["train", "qwen3-0.6b"][1] for device in ("auto", "cpu")
    }
    # docs/scale.md: 4.4 GiB with gradient checkpointing, cut off at 16 layers.
    assert asked["auto"] < 4.4 * GIB_IN_MB < asked["cpu"] < 32000


def written_shape(folder: Path, sizes: Shape) -> dict[str, Any]:
    """A local backbone of which there is only a configuration with these sizes."""
    folder.mkdir()
    content = {
        "num_hidden_layers": sizes.layers,
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.intermediate,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "head_dim": sizes.head_dim,
        "vocab_size": sizes.vocabulary,
    }
    assert Shape.of(content) == sizes
    (folder / "config.json").write_text(json.dumps(content), encoding="utf-8")
    return {"source": "local", "path": str(folder)}


def test_training_asks_for_what_the_activations_may_take(tmp_path: Path):
    shape = Shape(28, 1536, 8960, 12, 2, 128, 151936)
    own = {"device": "cpu", "dtype": "bfloat16", "backbones": {"own": written_shape(tmp_path / "own", shape)}}

    def asked(**training: Any) -> int:
        headrank = {"lists": {"size": 40}, "prompt": {"truncate_words": 100}, "training": training}
        return limits(tmp_path, own | {"headrank": headrank})["train", "own"][1]

    # 1.5B on lists of 40 passages of 100 words, weights and libraries included.
    found = asked()
    assert 9000 < found < 12000
    assert asked(activation_gib=1) == pytest.approx(found - 2 * GIB_IN_MB, abs=2)
    tokens = 40 * 100 * 1.4 + 200
    all_kept = 28 * training_bytes(shape, 0, tokens) / WORK / 1e6
    assert asked(activation_gib=1000) == pytest.approx(found - 3 * GIB_IN_MB + all_kept, abs=2)
    # A pass of several lists is a longer one.
    assert asked(tokens_per_pass=3 * int(tokens)) > found + 2 * WORK * all_kept / 28 - 100


def test_larger_models_ask_for_more(paper: dict[tuple[str, str], tuple[int, int]]):
    for rule in ("features", "frozen", "train", "rerank"):
        asked = [paper[rule, name] for name in ("qwen3-0.6b", "qwen3-1.7b", "qwen3-4b")]
        assert asked == sorted(asked), rule
        assert asked[0][0] < asked[2][0], rule
        assert asked[0][1] < asked[2][1], rule


def test_time_is_the_arithmetic_over_the_rates(tmp_path: Path):
    fast, slow = (
        limits(tmp_path, {"rates": {"products": rate, "attention": rate}})["frozen", "qwen3-0.6b"][0]
        for rate in (20, 1)
    )
    queries, tokens = 43 + 300 + 323, 40 * 100 * 1.4 + 200
    # Twice the multiply-adds of a whole pass, and twice the time for safety.
    seconds = 2 * queries * 2 * full_operations(SHAPES["qwen3-0.6b"], tokens) / 1e12
    assert fast < slow
    assert slow == pytest.approx(15 + math.ceil(seconds / 60), abs=2)


def test_shards_share_the_time(tmp_path: Path):
    rates = {"rates": {"products": 0.1, "attention": 0.1}}
    one, four = limits(tmp_path, rates), limits(tmp_path, rates | {"shards": 4})
    for rule in ("features", "frozen", "rerank"):
        job = rule, "qwen3-0.6b"
        assert (four[job][0] - 15) * 4 == pytest.approx(one[job][0] - 15, rel=0.02)
        assert four[job][1] <= one[job][1]
    assert four["train", "qwen3-0.6b"] == one["train", "qwen3-0.6b"]


def test_adapters_that_share_a_job_add_up_their_time(tmp_path: Path):
    changes = {
        "rates": {"products": 0.1, "attention": 0.1},
        "headrank": {"training": {"epochs": 2}},
        "ablation": {},
        "variants": {},
        "adapters_per_job": 2,
    }
    one, both = (
        limits(tmp_path, changes | {"trained_baselines": more})
        for more in ({}, {"more": {"training": {"epochs": 6}}})
    )
    for rule, times in (("train", 4), ("rerank", 2)):
        job = rule, "qwen3-0.6b"
        assert both[job][0] - 15 == pytest.approx(times * (one[job][0] - 15), rel=0.02), rule
        assert both[job][1] == one[job][1]


def test_pools_that_share_a_job_add_up_their_time(tmp_path: Path):
    config = yaml.safe_load(configuration("quick").read_text(encoding="utf-8"))
    # As many lists of a query for detection as for training.
    lists = {"lists": {"per_query_per_epoch": 1}, "training": {"epochs": 1}, "selection": {"permutations": 1}}
    changes = {
        "rates": {"products": 0.1, "attention": 0.1},
        "detect_on": config["train_on"],
        "methods": [*config["methods"], "core-own"],
        "headrank": lists,
    }
    one, both = (limits(tmp_path, changes | {"adapters_per_job": count}) for count in (1, 2))
    job = "features", "qwen3-0.6b"
    assert both[job][0] - 15 == pytest.approx(2 * (one[job][0] - 15), rel=0.02)
    assert both[job][1] == one[job][1]


def test_generative_references_ask_for_their_methods_queries_and_answers(tmp_path: Path):
    def asked(**changes: Any) -> int:
        given = {"methods": ["yes-no", "rankgpt"], **changes}
        return limits(tmp_path, {"rerankers": {}, "generative": given})["generate", "qwen3-0.6b"][0] - 15

    whole = asked()
    # 43 queries of each of three benchmarks, of 666 in all.
    assert asked(queries=43) == pytest.approx(whole * 129 / 666, rel=0.05)
    assert asked(methods=["yes-no"]) + asked(methods=["rankgpt"]) == pytest.approx(whole, abs=2)
    assert asked(methods=["rankgpt"], new_tokens=10) < asked(methods=["rankgpt"]) / 2


def test_answers_keep_keys_and_values_in_memory(tmp_path: Path):
    small, large = (
        limits(tmp_path, {"generative": {"methods": ["rankgpt"], "batch_tokens": tokens}})
        for tokens in (16384, 65536)
    )
    # Keys and values of 28 layers and 8 heads of 128, two bytes each.
    kept = (65536 - 16384) * 2 * 28 * 8 * 128 * 2 / 1e6
    assert large["generate", "qwen3-0.6b"][1] - small["generate", "qwen3-0.6b"][1] > kept


def test_a_checkpoint_at_hand_is_read_and_a_stranger_gets_what_is_large_enough(tmp_path: Path):
    sizes = SHAPES["qwen3-4b"]
    own = written_shape(tmp_path / "own", sizes)
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "config.json").write_text("{}", encoding="utf-8")
    backbones = {
        "odd": {"source": "local", "path": str(odd)},
        "mine": own,
        "qwen3-4b": {"source": "hub", "id": "Qwen/Qwen3-4B", "revision": "1" * 40},
        "stranger": {"source": "hub", "id": "somebody/something", "revision": "1" * 40},
    }
    found = limits(tmp_path, {"backbones": backbones})
    assert found["rerank", "mine"] == found["rerank", "qwen3-4b"]
    assert found["rerank", "stranger"] == found["rerank", "odd"] == (1440, 48000)


def test_the_sizes_of_a_gguf_file_are_read_from_its_header(tmp_path: Path):
    sizes = SHAPES["qwen3-4b"]
    writer = gguf.GGUFWriter(tmp_path / "large.gguf", "qwen3")
    writer.add_block_count(sizes.layers)
    writer.add_embedding_length(sizes.hidden)
    writer.add_feed_forward_length(sizes.intermediate)
    writer.add_head_count(sizes.heads)
    writer.add_head_count_kv(sizes.kv_heads)
    writer.add_key_length(sizes.head_dim)
    writer.add_vocab_size(sizes.vocabulary)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (tmp_path / "odd.gguf").write_text("no such thing")
    backbones = {
        "mine": {"source": "gguf", "file": "large.gguf"},
        "odd": {"source": "gguf", "file": "odd.gguf"},
        "qwen3-4b": {"source": "hub", "id": "Qwen/Qwen3-4B", "revision": "1" * 40},
    }
    found = limits(tmp_path, {"backbones": backbones, "models": str(tmp_path)})
    assert found["rerank", "mine"] == found["rerank", "qwen3-4b"]
    assert found["rerank", "odd"] == (1440, 48000)
    # Weights of 4B in 16 bits, and the embedding in float32 twice.
    assert 8.0e3 + 3.1e3 < found["unpack_gguf", "mine"][1] < 16000


def test_the_mini_study_asks_for_little(tmp_path: Path):
    found = limits(tmp_path, {}, "mini")
    assert {found[rule, "large"] for rule in ("features", "frozen", "generate", "rerank", "train")} == {
        (240, 2000)
    }
