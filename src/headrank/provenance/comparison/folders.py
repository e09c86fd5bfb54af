"""Compare two results folders: their origins, the files of each, and what differs in those that both have."""

from __future__ import annotations

import filecmp
import os
from dataclasses import dataclass
from pathlib import Path

from headrank.provenance import NAME, read_provenance
from headrank.provenance.comparison.artefacts import TOLD, artefact_kind, artefact_kinds
from headrank.provenance.comparison.origins import Origins, compare_origins
from headrank.provenance.manifest import artefacts
from headrank.provenance.time import is_time

_SIDECAR = ".trec.yaml"


@dataclass(frozen=True)
class Comparison:
    """What differs between two results folders.

    counts: kind of artefact -> how many files both folders have. differing: kind -> (file, what differs), sorted.
    only_one, only_other: files on one side only.
    """

    one: str
    other: str
    origins: Origins
    counts: dict[str, int]
    differing: dict[str, list[tuple[str, str]]]
    only_one: tuple[str, ...]
    only_other: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether the results are the same; origin, machine and time do not count."""
        return not (self.only_one or self.only_other or any(self.differing.values()))


def compare_folders(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> Comparison:
    """Compare two results folders of finished studies; InputError when one has no provenance or is unreadable."""
    left, right = Path(one), Path(other)
    origins = compare_origins(read_provenance(left), read_provenance(right))
    mine, yours = (set(filter(_counts, artefacts(place))) for place in (left, right))
    counts = dict.fromkeys(artefact_kinds(), 0)
    differing: dict[str, list[tuple[str, str]]] = {kind: [] for kind in counts}
    for name in sorted(mine & yours):
        kind = artefact_kind(name)
        counts[kind] += 1
        # Sidecars repeat the provenance, machine included, so only their existence counts.
        if name.endswith(_SIDECAR) or filecmp.cmp(left / name, right / name, shallow=False):
            continue
        tell = TOLD.get(kind)
        differing[kind].append((name, tell(left / name, right / name) if tell else ""))
    return Comparison(
        str(one),
        str(other),
        origins,
        counts,
        differing,
        tuple(sorted(mine - yours)),
        tuple(sorted(yours - mine)),
    )


def _counts(name: str) -> bool:
    # Provenance records are compared value by value.
    return name != NAME and not is_time(name)
