"""The middle zone of ranked lists (R12): which documents lie in it, and which of them are relevant.

The middle zone of a list of N documents is the prompt positions ceil(N/4)+1 to floor(3N/4), counted from 1 (11 to 30 of
40). A ranking is a data frame with a row per candidate: ``qid``, ``docid``, ``position`` (in the prompt), ``score``,
``rank``; positions and ranks count from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import pandas as pd

from headrank.errors import InputError, UsageError

# The size of one list, or of each row's list.
Size = TypeVar("Size", int, pd.Series)
_COLUMNS = ["qid", "docid", "position", "score", "rank"]


@dataclass(frozen=True)
class ZoneSettings:
    """Which documents are looked at.

    ``zone``: the middle by prompt position, or by the rank that the untrained model gives.
    ``relevant_from``: the lowest grade that counts as relevant; grades between 0 and it count as neither.
    ``irrelevant``: documents judged 0 (or less), or these and the unjudged ones.
    """

    zone: Literal["position", "untrained"] = "position"
    relevant_from: int = 1
    irrelevant: Literal["judged", "judged+unjudged"] = "judged"


def zone_bounds(size: Size) -> tuple[Size, Size]:
    """First position of the middle zone of a list of this many documents, and the first after it; from 0."""
    return -(-size // 4), 3 * size // 4


def annotate(
    ranking: pd.DataFrame,
    qrels: Mapping[str, Mapping[str, int]],
    settings: ZoneSettings,
    untrained: pd.DataFrame | None,
) -> pd.DataFrame:
    """The checked ranking plus ``size`` of its list, ``grade`` (NaN: unjudged), ``group`` and ``in_zone``.

    ``group`` is "relevant", "irrelevant" or, for neither, empty.
    """
    if settings.relevant_from < 1:
        raise UsageError(
            f"relevant_from: {settings.relevant_from} would make judged-irrelevant documents relevant"
        )
    frame = _checked(ranking, "ranking")
    grade = pd.Series(
        [qrels.get(q, {}).get(d, np.nan) for q, d in zip(frame["qid"], frame["docid"], strict=True)],
        index=frame.index,
        dtype=float,
    )
    irrelevant = grade <= 0
    if settings.irrelevant == "judged+unjudged":
        irrelevant |= grade.isna()
    group = np.select([grade >= settings.relevant_from, irrelevant], ["relevant", "irrelevant"], default="")
    place = frame["position"] if settings.zone == "position" else _untrained_rank(frame, untrained)
    start, stop = zone_bounds(frame["size"])
    return frame.assign(grade=grade, group=group, in_zone=(place >= start) & (place < stop))


def _untrained_rank(frame: pd.DataFrame, untrained: pd.DataFrame | None) -> pd.Series:
    if untrained is None:
        raise InputError("zone: 'untrained' needs the ranking of the untrained model")
    other = _checked(untrained, "untrained ranking").set_index(["qid", "docid"])["rank"]
    keys = pd.MultiIndex.from_frame(frame[["qid", "docid"]])
    if len(other) != len(keys) or not keys.isin(other.index).all():
        raise InputError("untrained ranking: its candidates differ from those of the ranking")
    return pd.Series(other.reindex(keys).to_numpy(), index=frame.index)


def _checked(ranking: pd.DataFrame, name: str) -> pd.DataFrame:
    lacking = [column for column in _COLUMNS if column not in ranking]
    if lacking:
        raise InputError(f"{name}: column {lacking[0]!r} is missing")
    if ranking.empty:
        raise InputError(f"{name}: it is empty")
    frame = ranking[_COLUMNS].reset_index(drop=True)
    if not np.isfinite(frame["score"].to_numpy(dtype=float)).all():
        bad = frame.loc[~np.isfinite(frame["score"].astype(float))].iloc[0]
        raise InputError(
            f"{name}: query {bad['qid']}: document {bad['docid']} has a score that is not finite"
        )
    repeated = frame[frame.duplicated(["qid", "docid"])]
    if len(repeated):
        bad = repeated.iloc[0]
        raise InputError(f"{name}: query {bad['qid']}: document {bad['docid']} appears twice")
    frame["size"] = frame.groupby("qid")["docid"].transform("size")
    for column in ("position", "rank"):
        ordered = frame.sort_values(["qid", column])
        wrong = ordered[column] != ordered.groupby("qid").cumcount()
        if wrong.any():
            raise InputError(
                f"{name}: query {ordered.loc[wrong, 'qid'].iloc[0]}: {column} does not count from 0 to N - 1"
            )
    return frame
