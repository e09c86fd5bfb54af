"""Growth: which points are measured, exponents that are known beforehand, and the arithmetic beside them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headrank.bench.growth import Point, measure_growth, points
from headrank.bench.shapes import random_backbone
from headrank.bench.workload import word_tokenizer
from headrank.cli import main
from headrank.cost.exponents import exponents, medians
from headrank.cost.measured import GROWTH_COLUMNS, SIZES
from headrank.cost.predict import Rates, seconds_of
from headrank.errors import InputError
from headrank.figures.growth import growth_figure
from headrank.tables.growth import growth_table

RATES = Rates(4e11, 1e11, "made up")


def made_up(backbone: str = "qwen3-0.6b", factor: float = 1.0, rounds: int = 3) -> pd.DataFrame:
    """Times by the arithmetic of a model ``factor`` times as large, memory with the square of the list's length."""
    rows = []
    for number in range(1, rounds + 1):
        for varied, point in points(Point(), SIZES):
            layers, tokens = round(28 * point.depth), point.n * point.words * point.lists
            products, attention = (
                factor * layers * tokens * 1e7,
                layers * tokens * point.n * point.words * 1e3,
            )
            rows.append(
                {
                    **asdict(point),
                    "backbone": backbone,
                    "dtype": "bfloat16",
                    "device": "cpu",
                    "threads": 2,
                    "varied": varied,
                    "layers": layers,
                    "tokens": tokens,
                    "products": products,
                    "attention": attention,
                    "weights": factor * layers * 1e7,
                    "memory": (point.n * point.words) ** 2 * 10.0,
                    "predicted_memory": (point.n * point.words) ** 2 * 8.0,
                    "weight_memory": (point.n * point.words) ** 2 * 10.0,
                    "round": number,
                    "seconds": seconds_of(products, attention, RATES) * (0.9, 1.0, 1.2)[number - 1],
                }
            )
    return pd.DataFrame(rows)[GROWTH_COLUMNS]


def test_points_vary_one_size_at_a_time():
    base = Point(n=8, words=40)
    found = points(base, ["n", "depth"])
    assert found[0] == ("base", base)
    assert [point.n for name, point in found if name == "n"] == [2, 4, 8, 16]
    for name, point in found:
        differing = [key for key, value in asdict(point).items() if value != getattr(base, key)]
        assert differing in ([], [name])
    assert all(base in [point for name, point in found if name == size] for size in ("n", "depth"))
    with pytest.raises(InputError, match="no size 'height'; known: n, words, depth, lists"):
        points(base, ["height"])


def test_known_exponents_are_found():
    found = exponents(medians(made_up())).set_index("varied")
    assert list(found.index) == ["n", "words", "depth", "lists"]
    assert found.loc["depth", "seconds"] == pytest.approx(1)
    assert found.loc["lists", "seconds"] == pytest.approx(1)
    assert 1 < found.loc["n", "seconds"] < 2
    assert found["memory"].loc[["n", "words"]].tolist() == pytest.approx([2, 2])
    assert found.loc["depth", "memory"] == pytest.approx(0, abs=1e-9)
    assert found["memory_error"].tolist() == pytest.approx([0.1] * 4)


def test_arithmetic_that_holds_is_off_by_nothing():
    found = exponents(medians(made_up()))
    assert found["time_error"].max() < 1e-6
    np.testing.assert_allclose(found["seconds"], found["predicted_seconds"])


def test_other_models_are_foretold_by_the_first_one_s_rates():
    slow = made_up("qwen3-4b", 8)
    slow["seconds"] *= 1.5
    frame = medians(pd.concat([made_up(), slow]))
    model = frame[frame["varied"] == "model"]
    assert model["backbone"].tolist() == ["qwen3-0.6b", "qwen3-4b"]
    np.testing.assert_allclose(model["seconds"] / model["predicted_seconds"], [1, 1.5], rtol=1e-6)
    row = exponents(frame).set_index("varied").loc["model"]
    assert row["backbone"] == ""
    assert row["time_error"] == pytest.approx(1 / 3)


def test_each_model_s_own_rates_fit_its_lines():
    slow = made_up("qwen3-4b", 8)
    slow["seconds"] *= 1.5
    found = exponents(medians(pd.concat([made_up(), slow]))).set_index(["backbone", "varied"])
    assert found.loc["qwen3-4b", "time_error"].max() < 1e-6


def test_one_size_is_refused():
    rounds = made_up()
    with pytest.raises(InputError, match="two sizes"):
        medians(rounds[rounds["varied"] == "base"])


def test_a_real_measurement_has_every_point_in_every_round():
    backbone = random_backbone("quick", word_tokenizer(), layers=3)
    rounds = measure_growth(backbone, Point(4, 8, 1.0, 1), ["n", "lists"], 2)
    assert list(rounds.columns) == GROWTH_COLUMNS
    counts = rounds.groupby("varied").size()
    assert counts.to_dict() == {"base": 2, "n": 8, "lists": 6}
    lists = rounds[rounds["varied"] == "lists"].drop_duplicates("lists").set_index("lists")
    assert (lists["tokens"] / lists["tokens"].loc[1]).tolist() == [1, 2, 4]
    assert (lists["products"] / lists["products"].loc[1]).tolist() == [1, 2, 4]
    assert (rounds["seconds"] > 0).all()
    # The base point belongs to three sizes and is measured once a round.
    base = rounds[(rounds["n"] == 4) & (rounds["lists"] == 1) & (rounds["round"] == 1)]
    assert len(base) == 3
    assert base["seconds"].nunique() == 1


def test_lists_share_one_pass(monkeypatch: pytest.MonkeyPatch):
    from headrank.bench.contenders import Bench, at_depth
    from headrank.bench.workload import make_workload
    from headrank.engine import forward
    from headrank.generative.chat import Chat
    from headrank.settings import Settings

    backbone = random_backbone("quick", word_tokenizer(), layers=2)
    passes: list[int] = []
    run = forward.run

    def counted(decoder, sequences, *others):
        passes.append(len(sequences))
        return run(decoder, sequences, *others)

    monkeypatch.setattr(forward, "run", counted)
    scores = []
    for lists in (1, 3):
        work = make_workload(backbone.tokenizer, 4, 8)
        bench = Bench(backbone, work, Chat(backbone.tokenizer), Settings(), lists)
        scores.append(at_depth(bench, 1.0)[0].run())
    assert passes == [1, 3]
    np.testing.assert_allclose(scores[1], scores[0], rtol=1e-3)


def test_table_and_figure_show_every_size():
    rounds = pd.concat([made_up(), made_up("qwen3-4b", 8)], ignore_index=True)
    table = growth_table(rounds)
    assert [row[1].value for row in table.rows].count("words") == 2
    assert table.rows[-1][0].text == "all"
    figure = growth_figure(rounds)
    assert len(figure.axes) == 10
    assert [axes.get_xlabel() for axes in figure.axes[5:]][-1] == "parameters run"


def test_the_command_prints_exponents_and_writes_rounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    output = tmp_path / "growth.csv"
    arguments = ["--backbone", "quick", "--n", "4", "--words", "8", "--rounds", "1", "--output", str(output)]
    assert main(["bench", "--growth", "depth", *arguments]) == 0
    assert "layers run" in capsys.readouterr().out
    assert list(pd.read_csv(output).columns) == GROWTH_COLUMNS
    assert output.with_suffix(".json").exists()


def test_an_unknown_size_is_one_line(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "--growth", "height", "--backbone", "quick"]) == 2
    assert capsys.readouterr().err == "error: bench: no size 'height'; known: n, words, depth, lists\n"
