"""The one command that makes files of a study anew, and the configuration kept for it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from headrank.data.atomic import write_text
from headrank.jobs.records import FOLDER, Records

CONFIGURATION = f"{FOLDER}/configuration.yaml"
# First line of the kept configuration: what the lines below it must hash to.
_VOUCHED = "# sha256: "


def keep_configuration(root: str | os.PathLike[str], config: Mapping[str, Any]) -> None:
    """Keep the configuration that a study was started with, for the command that makes files anew."""
    import yaml

    plain = json.loads(json.dumps(config))
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    write_text(Path(root) / CONFIGURATION, f"{_VOUCHED}{_sha256(text)}\n{text}")


def configuration_is_whole(root: str | os.PathLike[str]) -> bool:
    """Whether the kept configuration is as it was written; true where there is none, as in earlier versions."""
    place = Path(root) / CONFIGURATION
    try:
        first, _, rest = place.read_bytes().decode("utf-8", "replace").partition("\n")
    except FileNotFoundError:
        return True
    # Earlier versions wrote no digest.
    return first == f"{_VOUCHED}{_sha256(rest)}" if first.startswith(_VOUCHED) else bool(rest)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def remake(records: Records, names: Iterable[str]) -> str:
    """The command that makes the jobs of these files run again, and no others that have nothing to do."""
    root = records.root.resolve()
    base = root.parents[1]
    kept = root / CONFIGURATION
    words = ["snakemake", "--cores", "all"]
    if base == Path.cwd() and (base / "Snakefile").is_file():
        kept = kept.relative_to(base)
    else:
        words += ["--directory", str(base)]
    targets = [f"{root.parent.name}/{root.name}/{name}" for name in records.targets(names)]
    return shlex.join([*words, "--configfile", str(kept), "--force", *targets])
