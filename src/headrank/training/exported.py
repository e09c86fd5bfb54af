"""What an exported adapter says beside what training wrote: where its base model can be had, and further digests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headrank.data.digests import file_digest
from headrank.engine.gguf.find import absent, find_gguf
from headrank.engine.hub import fetch_file
from headrank.errors import InputError, NotFoundError, shown
from headrank.specs import read_spec

KEY = "exported"
# Queries, passages and their scores, by which a loaded adapter can be tested.
GOLDEN = "golden_scores.json"
_WORD = r"[\w-][\w.-]*"
_FORMS = {
    "repository": re.compile(rf"{_WORD}/{_WORD}"),
    "revision": re.compile("[0-9a-f]{40}"),
    "file": re.compile(_WORD),
    "sha256": re.compile("[0-9a-f]{64}"),
}


@dataclass(frozen=True)
class PublicBase:
    """Where a base model can be had: a repository of the hub at a commit, a GGUF file, or both.

    repository: hub id; None for a base that has no public name. revision: 40 hex digits. file, sha256: of a GGUF file,
    which may be in the repository or only known by its digest.
    """

    repository: str | None = None
    revision: str | None = None
    file: str | None = None
    sha256: str | None = None

    @property
    def known(self) -> bool:
        """Whether anybody can find the model from this."""
        return bool(self.repository and self.revision) or bool(self.file and self.sha256)


@dataclass(frozen=True)
class Exported:
    """version: of this package. files: names in the folder and their SHA-256."""

    version: str
    base: PublicBase
    files: Mapping[str, str]


def read_exported(told: Mapping[str, Any], path: Path) -> Exported | None:
    """What an adapter's description says of its export; None if training wrote it.

    Raises InputError naming the description, or the file beside it that is not as it was exported.
    """
    if told.get(KEY) is None:
        return None
    try:
        found = read_spec(Exported, told[KEY], KEY)
    except InputError as error:
        raise InputError(f"{path}: no readable adapter description ({error}); export it again") from None
    if odd := odd_name(found.base):
        raise InputError(f"{path}: {KEY}.base.{odd}; export it again")
    for name, digest in found.files.items():
        # Nothing outside the folder is read, whatever the description names.
        if name != GOLDEN:
            raise InputError(f"{path}: {KEY}.files: expected {GOLDEN} alone; export it again")
        try:
            right = file_digest(path.parent / name) == digest
        except OSError as error:
            raise NotFoundError(
                f"{path.parent / name}: no readable file of the adapter ({error.strerror or error})"
            ) from error
        if not right:
            raise InputError(
                f"{path.parent / name}: damaged or changed, its checksum is not the one in {path.name}; export it again"
            )
    return found


def odd_name(base: PublicBase) -> str | None:
    """What is no id, commit, plain file name or digest in it: names are looked for on this machine, too."""
    told = asdict(base).items()
    wrong = ((key, value) for key, value in told if value is not None and not _FORMS[key].fullmatch(value))
    return next((f"{key}: {shown(value)} is none" for key, value in wrong), None)


def described(exported: Exported) -> dict[str, Any]:
    """The entry of an adapter's description."""
    base = {key: value for key, value in asdict(exported.base).items() if value is not None}
    return {"version": exported.version, "base": base, "files": dict(exported.files)}


def find_base(base: PublicBase, folder: Path) -> tuple[str, str | None]:
    """What to load: a hub id and its commit, or a GGUF file, in the folder of models or else from its repository.

    folder: the adapter's, for messages. Raises NotFoundError for a file that is nowhere, and for a base without a
    public name.
    """
    if base.repository and base.revision and not base.file:
        return base.repository, base.revision
    if not base.file:
        raise NotFoundError(
            f"{folder}: its base model has no public name; name its folder as backbone, as it was when it was exported"
        )
    found = find_gguf(base.file)
    if found is not None and file_digest(found) == base.sha256:
        return str(found), None
    if base.repository and base.revision and base.sha256:
        return str(fetch_file(base.repository, base.revision, base.file, base.sha256)), None
    if found is not None:
        raise InputError(
            f"{found}: not the base model of {folder}, whose SHA-256 is {base.sha256}; name the right file as backbone"
        )
    raise NotFoundError(f"{base.file}: the base model of {folder} is no file, {absent(base.file)}")
