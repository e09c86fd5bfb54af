"""JSON within bounds: what Python's own reader would take without a word is refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrank.data.atomic import write_json
from headrank.data.json_files import DEPTH, parse_json, read_json
from headrank.errors import InputError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("1e999", "the number '1e999' is out of range"),
        ("9" * 21, "is out of range"),
        ("9" * 5000, "is out of range"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' is given twice"),
        ('{"b": [{"a": 1, "a": 1}]}', "the key 'a' is given twice"),
        ("[" * 100_000, f"nested more than {DEPTH} levels deep"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), f"nested more than {DEPTH} levels deep"),
        ('{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1), f"nested more than {DEPTH} levels deep"),
        ("{", "Expecting property name"),
        ("", "Expecting value"),
        (b"\xff\xfe\xfd", "not UTF-8 text"),
    ],
)
def test_what_is_out_of_bounds_is_refused_with_the_reason(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]*$") as told:
        parse_json(text)
    assert reason in str(told.value)
    path = tmp_path / "file.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as refused:
        read_json(path, "thing")
    assert str(refused.value).startswith(f"{path}: no readable thing (")
    assert reason in str(refused.value)
    assert len(str(refused.value)) < len(str(path)) + 200


def test_what_is_within_them_is_read_as_it_is_written() -> None:
    nested = "[" * DEPTH + "]" * DEPTH
    assert parse_json(nested)[0] is not None
    assert parse_json(f"[{2**63 - 1}, {-(2**63)}, 1e308, 1e-400, null, true]") == [
        *(2**63 - 1, -(2**63)),
        *(1e308, 0.0, None, True),
    ]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.json: no readable thing \(No such file or directory\)"):
        read_json(tmp_path / "none.json", "thing")


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": {"b": -float("inf")}}])
def test_numbers_that_could_not_be_read_again_are_not_written(tmp_path: Path, value: object) -> None:
    path = tmp_path / "file.json"
    path.write_text("1\n", encoding="utf-8")
    with pytest.raises(InputError, match="not written, a value in it is NaN or infinite"):
        write_json(path, value)
    assert path.read_text(encoding="utf-8") == "1\n"
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]
