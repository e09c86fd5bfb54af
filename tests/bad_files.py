"""Bad files, made by hand or drawn by hypothesis, and what every reader and command must do with them.

A bad file ends in one line that names it and says what is wrong and where, with the exit status of its kind, and leaves
everything else as it was. No damage whatsoever may end in any other exception.
"""

from __future__ import annotations

import gzip
import json
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from headrank.cli import main
from headrank.errors import InputError, NotFoundError, UsageError

# Each example reads one small file; how long that takes depends on the machine.
PROPERTY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
Content = str | bytes | Callable[[bytes], str | bytes]
USAGE, NOT_FOUND, DATA = UsageError.exit_status, NotFoundError.exit_status, InputError.exit_status
_folder = tempfile.TemporaryDirectory(prefix="headrank-bad-input-")
SCRATCH = Path(_folder.name)


class Bad(NamedTuple):
    """A bad file: what is wrong, its content (or how the sound one is changed), what the error says, and its status."""

    name: str
    content: Content
    message: str
    status: int = DATA


def cases(*rows: Bad) -> Any:
    """The rows as parameters named ``bad``, by their names, of which no two are equal."""
    names = [row.name for row in rows]
    assert len(set(names)) == len(names), [name for name in names if names.count(name) > 1]
    return pytest.mark.parametrize("bad", rows, ids=names)


def spoilt(path: Path, bad: Bad) -> Path:
    """Write the content of a case over the sound file, if there is one."""
    content = bad.content
    if callable(content):
        content = content(path.read_bytes())
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return path


def snapshot(folder: Path) -> dict[str, bytes]:
    """All files of a folder with their content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


def refused_by_reader(reader: Callable[[Path], Any], path: Path, bad: Bad) -> None:
    """The reader ends in one line that names the file, of the right kind."""
    with pytest.raises(InputError) as caught:
        reader(path)
    _check_line(str(caught.value), path, bad)
    assert caught.value.exit_status == bad.status


def refused_by_command(
    capsys: pytest.CaptureFixture[str],
    arguments: Sequence[str | Path],
    path: Path | None,
    folder: Path,
    bad: Bad,
) -> None:
    """The command ends in one line that names the file, with the right status, and leaves the folder as it was."""
    before = snapshot(folder)
    capsys.readouterr()
    status = main(list(map(str, arguments)))
    told = capsys.readouterr().err
    assert status == bad.status, told
    (line,) = told.splitlines()
    assert line.startswith("error: ")
    _check_line(line.removeprefix("error: "), path, bad)
    assert snapshot(folder) == before


def _check_line(line: str, path: Path | None, bad: Bad) -> None:
    assert len(line.splitlines()) == 1
    assert path is None or str(path) in line
    assert re.search(bad.message, line), line
    assert "Traceback" not in line


def outcome(call: Callable[..., Any], *arguments: Any) -> tuple[Any, InputError | None]:
    """What a call returns, or the InputError that it raises; any other exception goes on its way."""
    try:
        return call(*arguments), None
    except InputError as error:
        return None, error


def read_or_refused(reader: Callable[[Path], Any], path: Path) -> Any:
    """What the reader makes of a damaged file; it may only end in an InputError of one line that names the file."""
    found, error = outcome(reader, path)
    if error is not None:
        assert "\n" not in str(error)
        assert path.name in str(error)
    return found


def damaged(whole: bytes) -> st.SearchStrategy[bytes]:
    """A sound file that is cut, has bytes changed, removed, doubled or put in, or is anything at all."""
    place = st.integers(0, max(0, len(whole) - 1))
    piece = st.tuples(place, st.integers(1, 40)).map(lambda at: slice(at[0], at[0] + at[1]))
    put = st.binary(min_size=1, max_size=12) | st.sampled_from(_SPITEFUL)
    return st.one_of(
        place.map(lambda at: whole[:at]),
        st.tuples(place, st.integers(1, 255)).map(lambda at: _flipped(whole, *at)),
        piece.map(lambda cut: whole[: cut.start] + whole[cut.stop :]),
        piece.map(lambda cut: whole[: cut.stop] + whole[cut.start :]),
        st.tuples(piece, put).map(lambda at: whole[: at[0].start] + at[1] + whole[at[0].stop :]),
        st.binary(max_size=200),
    )


_SPITEFUL = [
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b"\t", b"\x1f\x8b", b"nan", b"1e999", b"-1"),
    *(b"9" * 30, b"[" * 200, b'{"a":', b"null", b"true", b'"', b"\\ud800", "\u2028".encode(), b"\x85"),
]


def _flipped(whole: bytes, place: int, bits: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ bits]) + whole[place + 1 :] if whole else whole


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["nan", "../x", "a\nb", "\ud800", -1, 0, 10**9]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def changed(draw: st.DrawFn, sound: Any) -> Any:
    """A sound value as JSON has it, in which one part is replaced by any other, removed or added."""
    value = json.loads(json.dumps(sound))
    place, key = _places(value)[draw(st.integers(0, len(_places(value)) - 1))]
    how = draw(st.sampled_from(["replace", "remove", "add"]))
    if place is None:
        return draw(VALUES)
    if how == "remove":
        del place[key]
    elif how == "add":
        new = draw(VALUES)
        if isinstance(place, list):
            place.insert(key, new)
        else:
            place[draw(st.text(max_size=6))] = new
    else:
        place[key] = draw(VALUES)
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = [(None, None)]
    todo = [value]
    while todo:
        part = todo.pop()
        inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
        for key, item in inner:
            found.append((part, key))
            todo.append(item)
    return found


def replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    """A change of a sound file: one text for another."""

    def change(whole: bytes) -> bytes:
        assert old.encode() in whole
        return whole.replace(old.encode(), new.encode("utf-8", "surrogatepass"), 1)

    return change


def with_keys(**changes: Any) -> Callable[[bytes], bytes]:
    """A change of a sound JSON object: keys set, or removed where the value is ``...``."""

    def change(whole: bytes) -> bytes:
        value = {**json.loads(whole), **changes}
        return json.dumps({key: inner for key, inner in value.items() if inner is not ...}).encode()

    return change


def cut(share: float) -> Callable[[bytes], bytes]:
    """A change of a sound file: only its first part."""
    return lambda whole: whole[: int(len(whole) * share)]


def zipped(content: str | bytes) -> bytes:
    return gzip.compress(content.encode() if isinstance(content, str) else content, mtime=0)


def any_json(text: str = "a JSON object") -> list[Bad]:
    """Contents that are no JSON object, for readers of one; text: what the error calls them."""
    return [
        Bad("empty", "", "Expecting value"),
        Bad("no JSON", "not json", "Expecting value"),
        Bad("cut JSON", cut(0.5), "Unterminated|Expecting|delimiter|property name"),
        Bad("a list", "[1]", text),
        Bad("a number", "7", text),
        Bad("null", "null", text),
        Bad("bytes that are no text", b"\xff\xfe\x00", "not UTF-8|Expecting|decode"),
        Bad("nested deeply", "[" * 100_000, "nested more than 64 levels"),
        Bad("nested by 65", "[" * 65 + "]" * 65, "nested more than 64 levels"),
        Bad("an infinite number", '{"a": 1e999}', "'1e999' is out of range"),
        Bad("a number of 5000 digits", '{"a": ' + "9" * 5000 + "}", "is out of range"),
        Bad("Infinity", '{"a": Infinity}', "Infinity is no number"),
        Bad("a key twice", '{"a": 1, "a": 2}', "the key 'a' is given twice"),
        Bad("two objects", "{}{}", "Extra data"),
    ]
