"""The study's configuration, checked and completed before anything else: a faulty one stops here, with one line."""

import copy
import os
import sys

from headrank.errors import InputError
from headrank.workflow.configuration import check_places, complete
from headrank.workflow.schema import read_schema

CONFIGFILES = [str(path) for path in workflow.overwrite_configfiles] or ["config/config.yaml"]

# As it was given, for the command that makes changed files anew.
GIVEN = copy.deepcopy(config)

try:
    complete(config, CONFIGFILES, read_schema(workflow.source_path("../schemas/config.schema.yaml")))
    # Where local collections and models are.
    DATA = os.environ.get("HEADRANK_DATA") or config["data"] or "."
    check_places(config, DATA)
except InputError as error:
    # An exception would bring Snakemake's traceback with it.
    sys.exit(f"error: {', '.join(map(os.path.relpath, CONFIGFILES))}: {error}")
