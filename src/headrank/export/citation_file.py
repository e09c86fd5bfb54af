"""Authors and address of the software: from the CITATION.cff of a clone, or as an installed package knows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrank.data.files import MIB, read_whole
from headrank.errors import InputError, shown, unreadable
from headrank.export import citation as known

NAME = "CITATION.cff"


@dataclass(frozen=True)
class Author:
    """A person, by family and given names, or an organisation, by its name. orcid: its address, if there is one."""

    name: str
    family: str = ""
    given: str = ""
    orcid: str = ""


@dataclass(frozen=True)
class Citation:
    """address: of the software's repository, if it is stated."""

    title: str
    licence: str
    authors: tuple[Author, ...]
    address: str = ""


KNOWN = Citation(known.TITLE, known.SOFTWARE_LICENCE, tuple(map(Author, known.SOFTWARE_AUTHORS)))


def read_citation(given: Path | None) -> Citation:
    """The citation file given, or the one in the working directory, or else what the package knows.

    Raises InputError naming the file and the key that is missing or malformed.
    """
    path = given or Path(NAME)
    if given is None and not path.is_file():
        return KNOWN
    import yaml

    try:
        content: Any = yaml.safe_load(read_whole(path, MIB))
    except (OSError, yaml.YAMLError, RecursionError, InputError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:160]
        raise unreadable(error)(f"{path}: no readable citation file ({reason})") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: no readable citation file (not a mapping)")
    authors = content.get("authors")
    if not isinstance(authors, list) or not authors:
        raise InputError(f"{path}: authors: expected a list")
    return Citation(
        _text(content, "title", path),
        _text(content, "license", path),
        tuple(_author(one, path) for one in authors),
        _text(content, "repository-code", path, optional=True) or _text(content, "url", path, optional=True),
    )


def _author(given: Any, path: Path) -> Author:
    if not isinstance(given, dict):
        raise InputError(f"{path}: authors: expected mappings, got {shown(given)}")
    if "name" in given:
        return Author(_text(given, "name", path))
    family, first = _text(given, "family-names", path), _text(given, "given-names", path, optional=True)
    return Author(f"{first} {family}".strip(), family, first, _text(given, "orcid", path, optional=True))


def _text(given: dict[Any, Any], key: str, path: Path, optional: bool = False) -> str:
    value = given.get(key, "" if optional else None)
    if not isinstance(value, str) or not (value or optional):
        raise InputError(f"{path}: {key}: expected a text, got {shown(value)}")
    return value
