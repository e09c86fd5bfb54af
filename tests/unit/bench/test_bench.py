"""The benchmark's contenders compute what they say, and its ratios and goals are what their names say."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from support import tiny_backbone, tiny_prompt
from torch.utils.flop_counter import FlopCounterMode

from headrank.bench import alternatives
from headrank.bench.contenders import PRODUCTS, SIDE, Bench, at_depth, different, frozen, matrix_product
from headrank.bench.goals import outcomes
from headrank.bench.measure import contenders, measure
from headrank.bench.memory import peak_memory
from headrank.bench.shapes import random_backbone, shape_config
from headrank.bench.training import training
from headrank.bench.workload import TOKENS_PER_WORD, make_workload, word_tokenizer
from headrank.cli import main
from headrank.cost.measured import COLUMNS, GENERATIVE, NAMES, PRODUCT, TRAINING
from headrank.cost.model_shapes import SHAPES
from headrank.cost.ratios import paired, reference_depth, summarise
from headrank.engine.forward import read_prompts
from headrank.engine.scoring import document_scores
from headrank.errors import InputError
from headrank.generative.chat import Chat
from headrank.rerankers.icr import KERNEL, icr
from headrank.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench() -> Bench:
    backbone = random_backbone("quick", word_tokenizer(), "float32")
    return Bench(backbone, make_workload(backbone.tokenizer, 4, 10), Chat(backbone.tokenizer), Settings())


@pytest.mark.parametrize("way", [alternatives.two_passes, alternatives.eager, alternatives.all_attentions])
@pytest.mark.parametrize("kind", ["qwen3", "llama"])
@torch.no_grad()
def test_others_ways_give_icr_s_scores(kind: str, way):
    backbone, prompt = tiny_backbone(kind), tiny_prompt(kind)
    (reading,) = read_prompts(backbone, [prompt], icr(backbone).heads, KERNEL.sources)
    expected = document_scores(reading, KERNEL)
    assert expected.std() > 1e-3
    torch.testing.assert_close(way(backbone, prompt), expected, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_the_plain_forward_runs_its_layers_and_leaves_the_model_as_it_was():
    backbone, prompt = tiny_backbone("qwen3"), tiny_prompt("qwen3")
    ids = torch.tensor([[*prompt.prefix, *prompt.query.ids]])
    whole = backbone.decoder(input_ids=ids).last_hidden_state
    torch.testing.assert_close(alternatives.forward(backbone, prompt, backbone.n_layers), whole)
    assert not torch.allclose(alternatives.forward(backbone, prompt, 2), whole)
    torch.testing.assert_close(backbone.decoder(input_ids=ids).last_hidden_state, whole)


@pytest.mark.parametrize(
    ("name", "count"),
    [("qwen3-0.6b", 596_049_920), ("qwen3-1.7b", 1_720_574_976), ("qwen3-4b", 4_022_468_096)],
)
def test_shapes_are_those_of_the_published_models(name: str, count: int):
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape_config(name))
    assert sum(p.numel() for p in model.parameters()) == count


def test_random_weights_are_finite_and_tied(bench: Bench):
    model = bench.backbone.model
    assert model.lm_head.weight is model.model.embed_tokens.weight
    with torch.no_grad():
        hidden = alternatives.forward(bench.backbone, bench.workload.prompt, bench.backbone.n_layers)
    assert hidden.isfinite().all()
    assert hidden.std() > 0.1


def test_passages_are_as_long_as_asked():
    work = make_workload(word_tokenizer(), 12, 100)
    assert work.passage_tokens == round(100 * TOKENS_PER_WORD)
    assert [stop - start for start, stop in work.prompt.text] == [work.passage_tokens] * 12
    # "[12]" is spelt out.
    (begin, _), (start, _) = work.prompt.labelled[11], work.prompt.text[11]
    assert start - begin == 4


def test_operations_are_those_that_torch_counts(bench: Bench):
    """Products and SDPA, the latter counted whole by torch where a causal kernel does half."""
    for contender in [*at_depth(bench, 0.5), *at_depth(bench, 1.0), frozen(bench)[0]]:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            contender.run()
        counts = counter.get_flop_counts()["Global"]
        products = sum(n for op, n in counts.items() if "attention" not in str(op))
        attention = sum(n for op, n in counts.items() if "attention" in str(op))
        assert contender.operations == pytest.approx(products + attention / 2, rel=0.02), contender.name


def test_peak_memory_sees_what_a_call_takes_and_lets_go():
    def call() -> float:
        return float(torch.ones(50_000_000).sum())

    for _ in range(2):
        result, peak = peak_memory(call, torch.device("cpu"))
        assert result == 50_000_000
        assert 190e6 < peak < 260e6
    assert peak_memory(lambda: None, torch.device("cpu"))[1] < 20e6


def test_what_does_not_fit_is_left_out_and_said_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("headrank.bench.measure._free", lambda device: 1e5)
    assert [c.name for c in contenders(bench, ["eager", "icr"], [1.0])] == ["icr", PRODUCT]
    assert "eager left out" in caplog.text


def test_a_slow_contender_is_timed_once(bench: Bench):
    rounds = measure(bench, contenders(bench, ["headrank"], [0.5]), 3, slow=0.0)
    assert rounds["round"].tolist() == [1, 1]


def test_depths_of_as_many_layers_are_one_contender(bench: Bench):
    """Of quick's 10 layers 0.55 and 0.6 are 6 each, 0.48 and 0.5 are 5; the one next to the reference stays."""
    assert different([1.0, 0.6, 0.5, 0.55, 0.48, 0.55], bench.backbone) == [0.5, 0.55, 1.0]
    chosen = contenders(bench, ["headrank"], [0.55, 0.6])
    assert [(c.name, c.layers, c.depth) for c in chosen[:-1]] == [("headrank", 6, 0.55)]


def test_every_contender_is_measured_in_every_round(bench: Bench):
    rounds = measure(bench, contenders(bench, NAMES, [0.5, 1.0]), 2)
    assert list(rounds.columns) == COLUMNS
    assert set(rounds["method"]) == {*NAMES, PRODUCT}
    assert all(list(part["round"]) == [1, 2] for _, part in rounds.groupby(["method", "layers"]))
    # Four passages: one call for each, one prompt, and one prompt with its answer.
    calls = rounds.set_index("method").loc[list(GENERATIVE), ["passes", "tokens"]].groupby("method").first()
    assert calls.loc["qwen3-reranker", "passes"] == 4
    assert calls.loc["first", "passes"] == 1
    assert calls.loc["rankgpt", "passes"] > 10
    assert (rounds["seconds"] > 0).all()
    assert (rounds.loc[rounds["method"] != PRODUCT, "operations"] > 0).all()


def test_training_steps_have_the_same_loss_and_gradients(bench: Bench):
    backbone = random_backbone("quick", word_tokenizer(), "float32")
    own = Bench(backbone, make_workload(backbone.tokenizer, 12, 6), bench.chat, bench.settings)
    steps = {step.name: step for step in training(own, 0.6)}
    assert tuple(steps) == TRAINING
    losses, gradients = {}, {}
    for name, step in steps.items():
        losses[name] = step.run()
        named = backbone.model.named_parameters()
        gradients[name] = {n: p.grad.clone() for n, p in named if p.grad is not None and p.grad.any()}
    assert losses["train-plain"] > 0.1
    for name in ("train", "train-chosen", "train-kept"):
        assert losses[name] == pytest.approx(losses["train-plain"], rel=1e-4)
        assert gradients[name]
        for parameter, gradient in gradients[name].items():
            expected = gradients["train-plain"][parameter]
            torch.testing.assert_close(gradient, expected, atol=1e-3 * expected.abs().max().item(), rtol=1e-2)
    assert set(gradients["train"]) == set(gradients["train-plain"])
    assert set(gradients["train-chosen"]) == set(gradients["train-kept"]) < set(gradients["train"])


def frame(seconds: dict[tuple[str, float], list[float]], n: int = 40, memory: float = 1e9) -> pd.DataFrame:
    rows = [
        (
            "b",
            "bfloat16",
            "cpu",
            2,
            n,
            138,
            name,
            round(depth * 10),
            depth,
            1,
            100,
            1e12,
            memory,
            number,
            value,
        )
        for (name, depth), values in seconds.items()
        for number, value in enumerate(values, start=1)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_ratios_are_taken_within_a_round():
    # The machine was ten times slower in the second round: the ratio is 2 all the same.
    rounds = frame(
        {("headrank", 0.5): [1.0, 10.0], ("headrank", 1.0): [2.0, 20.0], (PRODUCT, 0.0): [0.5, 5.0]}
    )
    assert reference_depth(rounds) == 0.5
    assert paired(rounds, "headrank", "headrank", 1.0, 0.5).tolist() == [2.0]
    summary = summarise(rounds).set_index(["method", "depth"])
    assert summary.loc[("headrank", 1.0), "times"] == 2.0
    assert summary.loc[("headrank", 0.5), "share"] == 0.5
    assert math.isnan(summary.loc[(PRODUCT, 0.0), "share"])
    assert summary.loc[("headrank", 0.5), ["fastest", "seconds", "slowest"]].tolist() == [1.0, 5.5, 10.0]


def test_goals_are_kept_or_missed():
    rounds = frame(
        {
            ("headrank", 0.55): [1.0],
            ("forward", 0.55): [0.9],
            ("two-passes", 1.0): [2.0],
            ("eager", 1.0): [3.9],
            (PRODUCT, 0.0): [0.9],
        }
    )
    found = {o.goal.split(" at")[0].split(",")[0]: o for o in outcomes(rounds)}
    assert found["time over the plain forward"].value == pytest.approx(1 / 0.9)
    assert not found["time over the plain forward"].kept
    assert found["memory over the plain forward"].kept
    assert found["two-passes"].kept
    assert not found["eager"].kept
    assert found["share of the matrix rate"].value == pytest.approx(0.9)
    assert all(o.kept for o in outcomes(rounds, margin=0.1))
    assert outcomes(rounds.assign(n=10)) == []


def test_a_measurement_without_headrank_has_no_ratios():
    with pytest.raises(InputError, match="no headrank row"):
        summarise(frame({("forward", 1.0): [1.0]}))


def test_the_command_writes_rounds_and_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "quick.csv"
    small = ["--backbone", "quick", "--n", "3", "--words", "5", "--rounds", "1", "--depths", "0.5"]
    options = [*small, "--methods", "forward", "--device", "cpu"]
    assert main(["bench", *options, "--output", str(out)]) == 0
    rounds = pd.read_csv(out)
    assert sorted(rounds["method"]) == ["forward", "headrank", PRODUCT]
    about = json.loads(out.with_suffix(".json").read_text())
    assert about["machine"]["cpu"]["cores"] >= 1
    assert about["packages"]["torch"]
    assert "3 passages of 7 tokens" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--methods", "magic"], "no method 'magic'"),
        (["--methods", "train", "forward"], "measured on their own"),
        (["--backbone", "quick", "--dtype", "int8"], "dtype 'int8' is unknown"),
        (["--backbone", "no/such/folder"], "no/such/folder: no usable model configuration"),
        (["--backbone", "quick", "--tokenizer", "nowhere"], "nowhere: no such folder"),
        (["--backbone", "folder", "--tokenizer", "nowhere"], "folder has its own tokenizer"),
        (["--backbone", "quick", "--depths", "1.5"], "'1.5' is not a number above 0 and at most 1"),
    ],
)
def test_bad_options_end_in_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    try:
        status = main(["bench", "--n", "2", "--words", "3", "--rounds", "1", *options])
    except SystemExit as error:
        status = int(error.code or 0)
    assert status != 0
    assert message in capsys.readouterr().err


def test_shapes_are_named_in_the_error():
    with pytest.raises(InputError, match=", ".join(SHAPES)):
        shape_config("qwen9")


def test_the_product_of_matrices_is_what_it_says(bench: Bench):
    product = matrix_product(bench)
    with FlopCounterMode(display=False) as counted:
        product.run()
    assert product.operations == counted.get_total_flops() == PRODUCTS * 2 * SIDE["cpu"] ** 3
