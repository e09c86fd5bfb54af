"""Where an adapter's folder is: as it is named, or in the hub's cache, where an exported adapter is downloaded to."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from headrank.data.files import MIB
from headrank.engine.hub_folder import COMMIT, fetch_folder
from headrank.engine.lora_files import CONFIG, WEIGHTS
from headrank.errors import InputError
from headrank.training.exported import GOLDEN
from headrank.training.saved_adapter import DESCRIPTION, HEADS, read_adapter

logger = logging.getLogger(__name__)
_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w.-]+))?")
# Everything that is downloaded, and how large it may be. An adapter of a model of 8 billion parameters has 100 MiB.
FILES = {WEIGHTS: 4096 * MIB, CONFIG: MIB, DESCRIPTION: MIB, HEADS: 32 * MIB, GOLDEN: 4 * MIB}


def adapter_folder(given: str | os.PathLike[str]) -> str:
    """The folder of an adapter that is named by its folder or, if there is no such folder, by its id on the hub.

    ``ORG/NAME@COMMIT`` pins the commit, tag or branch; without one it is what the hub has now, and the log says which.
    Only the files of an exported adapter are downloaded, each of a bounded size and compared with the digest that the
    hub states. Raises InputError for a repository that is no exported adapter, and NotFoundError for one that is not
    there or cannot be reached.
    """
    text = os.fspath(given)
    found = _HUB.fullmatch(text)
    if Path(text).exists() or not found:
        return text
    name, asked = found.groups()
    folder = fetch_folder(name, asked, FILES)
    if not COMMIT.fullmatch(asked or ""):
        logger.warning(
            "%s: using commit %s; name %s@%s to get the same again", text, folder.name, name, folder.name
        )
    exported = read_adapter(folder).exported
    # Any other name would be looked for on this machine.
    if exported is None or not exported.base.known:
        raise InputError(
            f"{text}: does not say where its base model can be had; only what `headrank export` wrote is loaded from"
            " the hub"
        )
    return str(folder)
