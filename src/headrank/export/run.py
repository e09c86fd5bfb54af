"""A run of a finished study with its ir_metadata, for a shared task or an archive."""

from __future__ import annotations

from pathlib import Path

from headrank.data.atomic import write_text
from headrank.data.digests import file_digest
from headrank.data.files import read_whole
from headrank.data.trec import read_run, read_tag
from headrank.errors import InputError, PrerequisiteError
from headrank.export.study import outside
from headrank.provenance.manifest import NAME, read_manifest
from headrank.provenance.record import NAME as PROVENANCE
from headrank.provenance.record import read_provenance
from headrank.provenance.sidecars import sidecar

SUFFIX = ".ir-metadata.yml"


def export_run(run: Path, output: Path) -> Path:
    """Copy a run of a finished study and write its metadata beside it; returns the metadata's file.

    run: a file in a study's results folder. The run, and the provenance from which the metadata is made, must be as the
    manifest lists them. Raises PrerequisiteError for a run of no finished study, InputError for one that has changed or
    cannot be read.
    """
    root = _study_of(run)
    outside(root, output)
    listed = read_manifest(root / NAME)
    for path in (run, root / PROVENANCE):
        name = path.resolve().relative_to(root.resolve()).as_posix()
        if listed.get(name) != file_digest(path):
            raise InputError(
                f"{path}: not as {root / NAME} lists it; `headrank check {root}` says what to do"
            )
    read_run(run)
    content = sidecar(
        run.resolve().relative_to(root.resolve()).as_posix(), read_tag(run), read_provenance(root)
    )
    write_text(output, read_whole(run).decode("utf-8"))
    metadata = output.with_name(f"{output.name}{SUFFIX}")
    write_text(metadata, _yaml(content))
    return metadata


def _study_of(run: Path) -> Path:
    for folder in run.resolve().parents:
        if (folder / NAME).is_file():
            return folder
    raise PrerequisiteError(
        f"{run}: in no finished study (no folder above it has {NAME}); only of such a run is it known how it was made"
    )


def _yaml(content: object) -> str:
    import yaml

    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))
