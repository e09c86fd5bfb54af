"""The examples of docs/frameworks.md, run as they stand there, but for the model, which is a tiny one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text(encoding="utf-8")
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"


def examples() -> dict[str, str]:
    """Section -> its first block of code."""
    found = {}
    for section in TEXT.split("\n## ")[1:]:
        block = re.search(r"\n\n((?: {4}.*\n|\n)+)", section)
        assert block
        found[section.partition("\n")[0]] = re.sub("^ {4}", "", block[1], flags=re.MULTILINE)
    return found


def test_every_library_has_an_example_of_at_most_ten_lines() -> None:
    assert [*examples()] == ["PyTerrier", "rerankers", "mteb", "LangChain", "LlamaIndex", "Haystack"]
    for code in examples().values():
        assert len([line for line in code.splitlines() if line]) <= 10
        assert MODEL in code


@pytest.mark.parametrize("name", examples())
def test_an_example_runs(name: str, backbone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(examples()[name].replace(MODEL, str(backbone)), name, "exec"), {})
    printed = capsys.readouterr().out
    assert printed.strip()
    if name != "mteb":
        assert re.search(r"-?\d\.\d+", printed)
        assert "moon" in printed
