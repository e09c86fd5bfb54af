"""The paper's claims as a checked table (R14): one verdict per claim, backbone and panel of benchmarks.

``reproduced`` and ``not reproduced`` are used only for the paper's own models under its own conditions. In any other
study a claim ``holds`` or ``does not hold``, which says nothing about the paper; a claim that a study leaves out was
``not run``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from headrank.evaluation.findings import Finding
from headrank.evaluation.published import (
    BENCHMARKS,
    BY_NAME,
    CANDIDATES,
    CLAIMS,
    METRIC,
    PAPER_MODELS,
    TRAINING_QUERIES,
    Claim,
)

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
HOLDS, DOES_NOT_HOLD = "holds", "does not hold"
NOT_RUN = "not run"

COLUMNS = [
    *("backbone", "model", "claim", "panel", "benchmarks", "published", "source", "measured", "low", "high"),
    *("ours", "rival", "theirs", "verdict", "standing", "reason"),
]


def standing(model: str, queries: int, synthetic: bool, depth: int, metric: str) -> list[str]:
    """How a backbone's study differs from the paper's, as reasons; if there are none, its verdicts are about the paper.

    model: its name on the Hugging Face hub, empty for one from elsewhere. queries: training queries. synthetic: some
    collection was made by the study. depth: candidates of a list. metric: the title of what is measured.
    """
    faults = []
    if model not in PAPER_MODELS:
        faults.append(f"{model} is not a model of the paper" if model else "not the paper's weights")
    if synthetic:
        faults.append("synthetic collections")
    for found, wanted, what in (
        (queries, TRAINING_QUERIES, "training queries"),
        (depth, CANDIDATES, "candidates"),
    ):
        if found != wanted:
            faults.append(f"{found} instead of {wanted} {what}")
    if metric != METRIC:
        faults.append(f"{metric} instead of {METRIC}")
    return faults


def verdict(finding: Finding, published: bool) -> str:
    """published: judged under the paper's conditions, where partial evidence can refute a claim but not confirm it."""
    if finding.met is None:
        return NOT_RUN
    if published and not (finding.met and finding.partial):
        return REPRODUCED if finding.met else NOT_REPRODUCED
    return HOLDS if finding.met else DOES_NOT_HOLD


def claim_rows(
    backbone: str,
    model: str,
    found: Iterable[tuple[str, str, Finding]],
    panels: Mapping[str, Sequence[str]],
    faults: Sequence[str],
) -> list[dict[str, object]]:
    """The rows of one backbone; for a model of the paper, only the claims that the paper makes at its scale.

    found: (claim, panel, finding), see ``findings``. faults: see ``standing``.
    """
    rows = []
    for name, panel, finding in found:
        claim = BY_NAME[name]
        if model in PAPER_MODELS and PAPER_MODELS[model] not in claim.scales:
            continue
        reasons = [finding.reason] if finding.reason else []
        # The number of training queries is itself the claim; it cannot also be a condition of it.
        others = [f for f in faults if not (name == "training-queries" and f.endswith("training queries"))]
        published = not others
        members = panels.get(panel, ())
        if claim.averaged and len(members) != BENCHMARKS:
            published = False
            if model in PAPER_MODELS:
                reasons.append(f"{len(members)} benchmarks instead of {BENCHMARKS}")
        rows.append(
            _row(claim, backbone, model, panel)
            | {
                "benchmarks": ", ".join(members),
                **{
                    key: getattr(finding, key)
                    for key in ("measured", "low", "high", "ours", "rival", "theirs")
                },
                "verdict": verdict(finding, published),
                "standing": "; ".join(faults),
                "reason": "; ".join(reasons),
            }
        )
    return rows


def rows_not_run(models: Iterable[str]) -> list[dict[str, object]]:
    """A row for each claim about models of the paper that are not among ``models``, those of the study."""
    there = set(models)
    rows = []
    for claim in CLAIMS:
        absent = [
            model for model, scale in PAPER_MODELS.items() if scale in claim.scales and model not in there
        ]
        if absent:
            reason = f"no backbone is {', '.join(absent)}"
            rows.append(_row(claim, "", ", ".join(absent), "") | {"verdict": NOT_RUN, "reason": reason})
    return rows


def claims_frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """The rows as a frame of ``COLUMNS``; numbers that a row lacks are NaN, texts empty."""
    frame = pd.DataFrame(list(rows), columns=COLUMNS)
    numbers = ["measured", "low", "high", "ours", "theirs"]
    frame[numbers] = frame[numbers].astype(float)
    texts = [name for name in COLUMNS if name not in numbers]
    frame[texts] = frame[texts].fillna("").astype(str)
    return frame


def _row(claim: Claim, backbone: str, model: str, panel: str) -> dict[str, object]:
    # Next to a model that is not the paper's, the paper's figures would suggest a comparison that does not exist.
    papers = not backbone or model in PAPER_MODELS
    return {
        "backbone": backbone,
        "model": model,
        "claim": claim.name,
        "panel": panel,
        "published": claim.published if papers else "",
        "source": claim.source if papers else "",
    }
