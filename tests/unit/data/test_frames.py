"""Tables of a stage: a damaged one ends in one line that names it and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from headrank.data.atomic import write_parquet
from headrank.data.frames import read_parquet
from headrank.errors import InputError

FRAME = pd.DataFrame({"qid": ["a", "b"] * 500, "grade": range(1000)})


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_parquet(tmp_path / "t.parquet", FRAME)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "t.parquet"), FRAME)
    assert list(read_parquet(tmp_path / "t.parquet", ["grade"]).columns) == ["grade"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:-4] + b"XXXX",
        lambda content: content[:40] + b"\xff" * (len(content) - 48) + content[-8:],
        lambda content: b"qid,grade\na,1\n",
        lambda content: b"PAR1",
    ],
)
def test_a_damaged_table_is_refused_by_name(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(path, FRAME)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError) as told:
        read_parquet(path)
    assert str(told.value).startswith(f"{path}: no readable table (")
    assert "remove the file and run the study again" in str(told.value)
    assert "\n" not in str(told.value)


def test_a_missing_table_or_column_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.parquet: no readable table \(No such file"):
        read_parquet(tmp_path / "none.parquet")
    write_parquet(tmp_path / "t.parquet", FRAME)
    with pytest.raises(InputError, match=r"t.parquet: no readable table"):
        read_parquet(tmp_path / "t.parquet", ["margin"])
