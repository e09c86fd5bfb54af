"""Estimates against arithmetic worked out otherwise, and rates recovered from times made with them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from headrank.cli import main
from headrank.cost.machine_rates import fit_rates
from headrank.cost.model_shapes import SHAPES
from headrank.cost.multiply_adds import truncated_operations
from headrank.cost.predict import (
    GPUS,
    Rates,
    assumed_rates,
    multiply_adds,
    pass_bytes,
    pass_seconds,
    weight_bytes,
)
from headrank.errors import InputError

pytestmark = pytest.mark.slow

SMALL, LARGE = SHAPES["qwen3-0.6b"], SHAPES["qwen3-4b"]


@pytest.mark.parametrize("layers", [1, 15, 28])
def test_both_parts_are_the_whole(layers: int):
    assert sum(multiply_adds(SMALL, layers, 3000, 32, 8)) == truncated_operations(SMALL, layers, 3000, 32, 8)


def measured(rates: Rates) -> pd.DataFrame:
    rows = [
        ("small", "headrank", layers, tokens, pass_seconds(SMALL, layers, tokens, rates) * noise)
        for layers in (11, 15, 28)
        for tokens in (1500, 6000)
        for noise in (0.99, 1.0, 1.01)
    ]
    rows.append(("small", "forward", 28, 1500, 99.0))
    return pd.DataFrame(rows, columns=["backbone", "method", "layers", "tokens", "seconds"])


def test_rates_are_found_again():
    found = fit_rates(measured(Rates(5e11, 2e11, "")), {"small": SMALL}, "here")
    assert found.products == pytest.approx(5e11, rel=0.01)
    assert found.attention == pytest.approx(2e11, rel=0.01)
    assert found.source == "here"


def test_one_rate_serves_both_where_attention_costs_nothing():
    rounds = measured(Rates(5e11, 1e30, ""))
    rounds.loc[rounds["tokens"] == 6000, "seconds"] *= 0.5
    found = fit_rates(rounds, {"small": SMALL}, "here")
    assert found.products == found.attention > 0


def test_no_rate_is_above_that_of_a_large_product():
    rounds = measured(Rates(3e11, 1e12, ""))
    product = {"backbone": "small", "method": "matrix-product", "operations": 8e11, "seconds": 2.0}
    found = fit_rates(pd.concat([rounds, pd.DataFrame([product])]), {"small": SMALL}, "here")
    assert found.attention == 4e11
    # The passes take as long as before with the rest of the time for products.
    assert 3e11 < found.products < 4e11
    again = measured(found)
    ratio = again["seconds"].iloc[:-1] / rounds["seconds"].iloc[:-1]
    assert ratio.between(0.75, 1.25).all()
    slow = pd.DataFrame([{**product, "seconds": 8.0}])
    both = fit_rates(pd.concat([rounds, slow]), {"small": SMALL}, "here")
    assert both.products == both.attention == 1e11


def test_too_few_measurements_are_refused():
    with pytest.raises(InputError, match="here: needs HeadRank's passes of at least two"):
        fit_rates(measured(Rates(1, 1, "")).iloc[:3], {"small": SMALL}, "here")


def test_memory_by_hand():
    # 1024 wide, 16 heads and 8 key heads of 128.
    alive = 2 * (3 * 1024 + 2 * 2048 + 2 * 1024) + 2 * 4 * 128
    assert pass_bytes(SMALL, 1000, device="cuda") == 1000 * alive
    # Keys and values once more, and holes between what is alive.
    assert pass_bytes(SMALL, 1000) == 1000 * 2 * (alive + 2 * 2 * 1024)
    layer = 1024 * (2 * 2048 + 2 * 1024 + 3 * 3072)
    assert weight_bytes(SMALL, 28) == 2 * (151936 * 1024 + 28 * layer)
    # The published sizes, norms apart.
    assert weight_bytes(SMALL, 28) / 2 == pytest.approx(596_049_920, rel=1e-3)
    assert weight_bytes(LARGE, 36) / 2 == pytest.approx(4_022_468_096, rel=1e-3)


def test_a_gpu_by_its_data_sheet():
    assert assumed_rates("h100").products < GPUS["h100"]
    assert "assumed" in assumed_rates("h100").source
    with pytest.raises(InputError, match="h200"):
        assumed_rates("abacus")


def test_the_command_estimates_from_a_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "rounds.csv"
    measured(Rates(5e11, 2e11, "")).assign(backbone="qwen3-0.6b").to_csv(path, index=False)
    assert main(["cost", "--backbone", "qwen3-4b", "--rates", str(path), "--queries", "100"]) == 0
    told = capsys.readouterr().out
    assert "20 of 36 layers, 40 passages" in told
    assert "0.5 TFLOP/s of products, 0.2 of attention" in told


def test_the_command_measures_where_nothing_is_given(capsys: pytest.CaptureFixture[str]):
    assert main(["cost", "--backbone", "quick", "--n", "5"]) == 0
    told = capsys.readouterr()
    assert "measured here" in told.out
    # It takes long, so it says what it does before.
    assert "--gpu" in told.err


@pytest.mark.parametrize(
    ("options", "message", "status"),
    [
        (["--gpu", "abacus"], "GPU 'abacus' is unknown", 2),
        (["--backbone", "qwen9"], "shape 'qwen9' is unknown", 2),
        (["--n", "10001", "--words", "1"], "10001 passages of 1 words: at most 10000 passages", 2),
        (["--n", "10000", "--words", "101"], "at most 10000 passages and 1000000 words", 2),
        (["--rates", "nowhere.csv"], "nowhere.csv", 4),
        (["--rates", __file__], "no readable measurement", 5),
    ],
)
def test_bad_options_end_in_one_line(
    options: list[str], message: str, status: int, capsys: pytest.CaptureFixture[str]
):
    assert main(["cost", *options]) == status
    assert message in capsys.readouterr().err
