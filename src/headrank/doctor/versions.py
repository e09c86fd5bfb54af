"""Versions: Python, this library and its commit, and the packages that results depend on."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import headrank
from headrank.doctor.check import PREREQUISITE, Check, failed, ok, warning
from headrank.provenance.code import UNKNOWN, code_version
from headrank.provenance.software import software

NAME = "constraints.txt"
# The version that the constraints are for.
PYTHON = (3, 11)
# Packages that only studies and figures need.
OPTIONAL = ("snakemake", "matplotlib")
_INSTALL = f"install the versions that the tests ran with (pip install -c {NAME} .)"


def python_version() -> Check:
    """Whether Python is the one that the tests ran with."""
    found = f"{platform.python_version()} ({platform.python_implementation()})"
    if sys.version_info[:2] == PYTHON:
        return ok("python", found)
    return warning("python", found, "the tests ran with {}.{}".format(*PYTHON))


def own_version(root: Path | None) -> Check:
    """This library's version and, in a clone, its commit; whether the package that runs is the clone's.

    root: of the clone, if there is one.
    """
    version = headrank.__version__
    if root is None:
        return ok("headrank", f"{version}, not in a clone of its repository")
    code = code_version(root)
    if not code["library"]["same_as_source"]:
        return warning(
            "headrank",
            f"{version}, whose files are not those of src in {root.name}",
            "install it again (pip install .), or changes to the clone have no effect",
        )
    commit = "no commit" if code["commit"] == UNKNOWN else f"commit {code['commit'][:12]}"
    return ok("headrank", f"{version}, {commit}{', changed since' if code['dirty'] else ''}")


def package_versions(root: Path | None) -> Check:
    """Whether packages are there, and in the versions that the tests ran with.

    root: of the clone, whose constraints name these versions, if there is one.
    """
    tested = tested_versions(root)
    installed = software()["packages"]
    absent = [name for name, version in installed.items() if version is None and name not in OPTIONAL]
    if absent:
        return failed("packages", f"{', '.join(absent)} not installed", _INSTALL, PREREQUISITE)
    there = {name: version for name, version in installed.items() if version}
    found = ", ".join(f"{name} {version}" for name, version in there.items())
    if tested is None:
        return ok("packages", f"{found} (no {NAME} at hand to compare them with)")
    # A build for one kind of device says so behind a plus sign.
    others = [
        f"{name} {version} (tested: {tested[name]})"
        for name, version in there.items()
        if name in tested and version.split("+")[0] != tested[name]
    ]
    if others:
        return warning("packages", ", ".join(others), _INSTALL)
    return ok("packages", found)


def clone() -> Path | None:
    """The clone of the repository that this package is part of, or else the one that is the working folder."""
    for place in (Path(headrank.__file__).parents[2], Path.cwd()):
        if (place / NAME).is_file() and (place / "src" / "headrank").is_dir():
            return place
    return None


def tested_versions(root: Path | None) -> dict[str, str] | None:
    """Package -> version, as the constraints of a clone name them."""
    if root is None:
        return None
    lines = (root / NAME).read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("==") for line in lines if not line.startswith("#")]
    return {name.strip(): version.strip() for name, _, version in pairs if version}
