"""Scores that an exported adapter must give: a few queries with passages, by which a loaded one is tested."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from headrank.data.atomic import write_json
from headrank.data.json_files import read_object
from headrank.errors import InputError, PrerequisiteError, RunError, UsageError
from headrank.specs import read_spec
from headrank.training.exported import GOLDEN

if TYPE_CHECKING:
    from headrank.api.reranker import Reranker

Dtype = Literal["float32", "float16", "bfloat16"]
# The greatest difference that rounding explains, as a share of the distance between a list's best and worst score.
# SmolLM2 135M in bfloat16 is 0.03 off its own scores in float32 at most.
_BOUNDS: dict[Dtype, float] = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.15}
_MOST = 100
_LISTS = (
    (
        "why do leaves turn red in autumn",
        (
            "When nights grow longer, a tree stops making chlorophyll. The green fades, and red pigments that the leaf"
            " makes from sugar become visible.",
            "The red line of the underground was closed for repairs in autumn.",
            "Leaves are the main place where a plant turns light into sugar.",
            "Maple syrup is boiled down from sap that is collected in early spring.",
        ),
    ),
    (
        "how long does it take to boil an egg hard",
        (
            "An egg is laid about once a day by a young hen.",
            "Put the egg into boiling water: after nine to twelve minutes the yolk is firm.",
            "Water boils at a lower temperature on a high mountain.",
            "For poached eggs, add a little vinegar to the water.",
            "Boil the pasta for nine minutes.",
        ),
    ),
    (
        "capital of australia",
        (
            "Sydney is the largest city of Australia.",
            "Canberra was chosen as the seat of the Australian government in 1908.",
            "Australia exports wool and coal.",
        ),
    ),
)


@dataclass(frozen=True)
class GoldenList:
    """A query, its passages in the order in which they are given, and the score of each."""

    query: str
    passages: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Golden:
    """The keys of the file. dtype: the numbers that the scores were computed in."""

    schema: Literal[1]
    dtype: Dtype
    lists: tuple[GoldenList, ...]


def golden_scores(reranker: Reranker) -> Golden:
    """The built-in queries and passages with the scores that a reranker gives them."""
    found = zip(_LISTS, _scores(reranker, _LISTS), strict=True)
    lists = tuple(GoldenList(query, passages, scores) for (query, passages), scores in found)
    return Golden(1, _dtype(reranker), lists)


def write_golden(folder: Path, golden: Golden) -> None:
    """Write the file into an adapter's folder."""
    write_json(folder / GOLDEN, asdict(golden))


def read_golden(folder: str | os.PathLike[str]) -> Golden:
    """What an exported adapter must give; InputError for a malformed file, PrerequisiteError where there is none."""
    path = Path(folder) / GOLDEN
    if not path.exists():
        raise PrerequisiteError(f"{path}: no such file; only what `headrank export` wrote can be checked")
    try:
        stored = read_spec(Golden, read_object(path, "golden scores"), "golden scores")
    except UsageError as error:
        raise InputError(f"{path}: malformed {error}") from None
    if not 0 < len(stored.lists) <= _MOST:
        raise InputError(f"{path}: {len(stored.lists)} lists, expected 1 to {_MOST}")
    for one in stored.lists:
        if not 2 <= len(one.passages) == len(one.scores) <= _MOST:
            raise InputError(f"{path}: {len(one.passages)} passages and {len(one.scores)} scores of a list")
    return stored


def check_scores(reranker: Reranker, folder: str | os.PathLike[str]) -> float:
    """Compare a loaded reranker's scores with those in its folder; the greatest difference found, as a share.

    A difference is a share of the distance between the best and the worst score of its list. Raises RunError where one
    is greater than rounding explains; InputError as ``read_golden``.
    """
    right = read_golden(folder)
    found = _scores(reranker, [(one.query, one.passages) for one in right.lists])
    bound = max(_BOUNDS[right.dtype], _BOUNDS[_dtype(reranker)])
    off = [_off(one.scores, scores) for one, scores in zip(right.lists, found, strict=True)]
    # NaN fails too.
    wrong = next((i for i, share in enumerate(off) if not share <= bound), None)
    if wrong is not None:
        raise RunError(
            f"{Path(folder) / GOLDEN}: list {wrong + 1} gets other scores here, {off[wrong]:.2g} of their range off"
            f" (bound {bound:g}); do not trust this adapter on this installation"
        )
    return max(off)


def _scores(reranker: Reranker, lists: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[float, ...]]:
    ranked = reranker.rank_many(
        [query for query, _ in lists], [passages for _, passages in lists], progress=False
    )
    return [tuple(d.score for d in sorted(one, key=lambda d: d.index)) for one in ranked]


def _off(right: Sequence[float], found: Sequence[float]) -> float:
    differences = [abs(one - two) for one, two in zip(right, found, strict=True)]
    spread = max(right) - min(right)
    # A list whose scores are all the same must stay so.
    return max(differences) / spread if spread else max(differences)


def _dtype(reranker: Reranker) -> Dtype:
    kind = str(next(reranker.ready.backbone.model.parameters()).dtype)
    return next(name for name in _BOUNDS if kind == f"torch.{name}")
