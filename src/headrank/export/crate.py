"""A finished study as an RO-Crate: a folder or ZIP file that says in JSON-LD what each file is and what made it.

RO-Crate 1.1 (https://www.researchobject.org/ro-crate/1.1/) with the profile Process Run Crate 0.5
(https://www.researchobject.org/workflow-run-crate/). Not Workflow Run Crate: that profile needs the workflow's files in
the crate, and a results folder names them by commit and digest only.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

from headrank.data.atomic import whole_file, whole_folder, write_json
from headrank.data.digests import file_digest
from headrank.errors import InputError, UsageError
from headrank.export.citation_file import Citation
from headrank.export.crate_entities import METADATA, graph
from headrank.export.study import finished_study, new_place, outside
from headrank.provenance.manifest import NAME, read_manifest
from headrank.provenance.time import is_time

CONFIGURATION = "configuration.json"
# Queries and passages belong to their collections, and weights are large: both are in the manifest by their digests.
_PARTS = ("tables", "figures", "runs", "metrics", "heads")
_RUNS = (".trec", ".yaml", ".parquet")
# The earliest date that a ZIP file can hold: equal studies give equal files.
_DATE = (1980, 1, 1, 0, 0, 0)


def export_crate(root: Path, output: Path, licence: str | None, citation: Citation) -> int:
    """Write a finished study's crate, whole or not at all; returns how many files it describes.

    output: a folder, or a file whose name ends in ``.zip``. licence: SPDX id or URL. Raises PrerequisiteError for a
    study that is not finished, InputError for one that has changed or an output that is no crate, and UsageError
    without a licence, which a crate must have and only its owner can give.
    """
    if not licence:
        raise UsageError(
            "--license: a crate must have one; name it by its SPDX id, such as CC-BY-4.0, or its address"
        )
    outside(root, output)
    if output.suffix == ".zip":
        if output.is_dir():
            raise InputError(f"{output}: is a folder; name a file, or a folder without .zip")
    else:
        new_place(output, METADATA)
    provenance = finished_study(root)
    listed = read_manifest(root / NAME)
    chosen = sorted(filter(_belongs, listed))
    if output.suffix != ".zip":
        with whole_folder(output) as made:
            count = _write(made, root, chosen, listed, provenance, licence, citation)
        return count
    with whole_file(output) as file:
        made = file.with_name(f"{file.name}.folder")
        made.mkdir()
        try:
            count = _write(made, root, chosen, listed, provenance, licence, citation)
            _zip(made, file)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return count


def _belongs(name: str) -> bool:
    part, *inside = PurePosixPath(name).parts
    # Beside the runs lie the masses of all heads and what models answered.
    return not inside or (part in _PARTS and (part != "runs" or PurePosixPath(name).suffix in _RUNS))


def _write(
    made: Path,
    root: Path,
    names: list[str],
    listed: dict[str, str],
    provenance: dict[str, Any],
    licence: str,
    citation: Citation,
) -> int:
    for name in names:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, made / name)
    shutil.copyfile(root / NAME, made / NAME)
    write_json(made / CONFIGURATION, provenance["configuration"]["values"])
    files = {
        name: ((made / name).stat().st_size, file_digest(made / name))
        for name in sorted([*names, NAME, CONFIGURATION])
    }
    for name in names:
        # The study may have changed since it was compared. Times may be those of a repeated job, as for that.
        if files[name][1] != listed[name] and not is_time(name):
            raise InputError(f"{root / name}: changed while it was copied; start again")
    described = graph(files, provenance, licence, citation)
    text = json.dumps(described, indent=2, ensure_ascii=False, allow_nan=False)
    (made / METADATA).write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return len(files)


def _zip(folder: Path, target: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(target, "w") as archive:
        # What describes a crate comes first.
        for path in sorted(paths, key=lambda path: path.name != METADATA):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as stored:
                shutil.copyfileobj(source, stored)
