"""CoRe: contrastively chosen heads (arXiv 2510.02219)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headrank.methods.entry import CUT_BRANCHES, CUT_PASS, Criterion, Frozen, Released, Trained
from headrank.prompts.templates import core_template

if TYPE_CHECKING:
    from headrank.heads.head_set import HeadSet
    from headrank.heads.judged import Judged
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts


def _core(head_set: str, parts: Parts) -> Method:
    from headrank.rerankers.core import core

    return core(parts.heads[head_set], head_set)


def _core_released(parts: Parts) -> Method:
    from headrank.rerankers.core import core

    return core(parts.heads["core"], faithful=True)


def _contrast(name: str, judged: Judged) -> HeadSet:
    from headrank.heads.detection import contrast_of_relevant

    return contrast_of_relevant(name, judged, pruned=name == "core-pruned")


PLACE = 40
CORE = Frozen(
    name="core",
    title="CoRe",
    about="heads by contrast with irrelevant passages (2510.02219)",
    cost=CUT_BRANCHES,
    criterion=Criterion("core", partial(_contrast, "core"), count="baselines.core_k"),
    head_set="core",
    build=partial(_core, "core"),
)
METHODS = (
    CORE,
    Frozen(
        name="core-own",
        title="CoRe (own data)",
        about="CoRe with heads chosen on a collection of its own (2510.02219)",
        cost=CUT_BRANCHES,
        criterion=CORE.criterion,
        head_set="core-own",
        pool="detection",
        build=partial(_core, "core-own"),
        studies_only=True,
    ),
    Frozen(
        name="core-pruned",
        title="CoRe, pruned layers",
        about="CoRe's choice among the first layers only",
        cost=CUT_BRANCHES,
        criterion=Criterion("core-pruned", partial(_contrast, "core-pruned"), count="baselines.core_k"),
        head_set="core-pruned",
        build=partial(_core, "core-pruned"),
    ),
    # The authors keep the retriever's order of candidates.
    Released.of(CORE, core_template, "best-first", build=_core_released),
    Trained(
        name="core-trained",
        title="CoRe heads, preference-trained",
        about="HeadRank's training on CoRe's heads",
        cost=CUT_PASS,
        fits=lambda heads, settings: heads.method == "core",
    ),
)
