"""A configuration file before its values are read: what YAML would take for something else than it looks like.

YAML silently takes the last of two equal keys, reads ``0211`` as the octal 137, ``1:30`` as the sexagesimal 90, ``on``
as true and ``~`` as null, and lets aliases stand for parts that stand for parts. Snakemake has read the file by the
time that a rule can check it, so the file is looked at once more, as a graph of nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from headrank.data.files import MIB, read_whole
from headrank.errors import UsageError, shown, shown_key

# Aliases written out; the largest configuration of this repository has 600 values on six levels.
MOST_VALUES, DEPTH = 50_000, 32
TOO_MUCH = f"more than {MOST_VALUES} values or {DEPTH} levels, aliases written out; make it smaller"
# Of a number: more than any has.
_LONGEST = 400
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SIMPLE = {f"{_TAG}{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")}
# Octal, such as 0211, and sexagesimal, such as 1:30; 0x1f and 0b11 are meant as they are read.
_MISREAD = re.compile(r"[-+]?(0[0-9_]+|.*:.*)")


def check_file(path: str | Path) -> None:
    """Raise InputError, with key and line, for a file that is no plain YAML or would be read otherwise than written."""
    try:
        text = read_whole(path, MIB).decode("utf-8")
        # Every value ends with one of these; finding them all in a graph of nodes would take minutes.
        if text.count(",") + text.count("\n") > MOST_VALUES:
            raise UsageError(TOO_MUCH)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        raise UsageError("not UTF-8 text; convert the file to UTF-8") from None
    except RecursionError:
        raise UsageError(TOO_MUCH) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        raise UsageError(f"{place}no YAML: {reason}") from None
    for place, node in _nodes(root):
        if place.count(".") > DEPTH:
            raise UsageError(TOO_MUCH)
        _check_scalar(place, node)
        if isinstance(node, yaml.MappingNode):
            _check_keys(place, node)


def _nodes(root: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """(place with dots, node) of every value, aliases written out; UsageError where they are too many."""
    seen, todo = 0, [("", root)] if root is not None else []
    while todo:
        place, node = todo.pop()
        yield place, node
        seen += 1
        if isinstance(node, yaml.MappingNode):
            todo += [(f"{place}{shown_key(key.value)}.", value) for key, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            todo += [(f"{place}{number}.", value) for number, value in enumerate(node.value)]
        if seen + len(todo) > MOST_VALUES:
            raise UsageError(TOO_MUCH)


def _check_keys(place: str, node: yaml.MappingNode) -> None:
    known = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag not in (f"{_TAG}str", _MERGE):
            text = shown(key.value).strip("'") if isinstance(key, yaml.ScalarNode) else "name"
            kind = key.tag.removeprefix(_TAG)
            raise UsageError(
                f'{place}{text}: a key of type {kind}, at line {line}; write "{text}", in quotes'
            )
        if key.value in known:
            raise UsageError(f"{place}{shown_key(key.value)}: given twice, at line {line}; keep one")
        known.add(key.value)


def _check_scalar(place: str, node: yaml.Node) -> None:
    key, line = place.removesuffix(".") or "configuration", node.start_mark.line + 1
    if node.tag not in _SIMPLE:
        raise UsageError(f"{key}: has the tag {shown(node.tag)}, at line {line}; leave it out")
    kind = node.tag.removeprefix(_TAG)
    if kind not in ("int", "float"):
        return
    if len(node.value) > _LONGEST:
        raise UsageError(f"{key}: a number of {len(node.value)} digits, at line {line}; make it smaller")
    if kind == "float" and node.value.lower().lstrip("+-") in (".nan", ".inf"):
        raise UsageError(f"{key}: expected a finite number, got {node.value}, at line {line}")
    if _MISREAD.fullmatch(node.value) and "." not in node.value:
        read = shown(yaml.safe_load(node.value))
        raise UsageError(
            f"{key}: YAML reads {node.value} as {read}, at line {line}; write {read}, or quote it as text"
        )
