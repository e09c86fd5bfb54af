"""What the table says of a method: how it is named and shown, what it needs and costs, how it is built.

The modules that a method is built from are imported when it is built, so that reading the table does not load PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrank.generative.effort import Effort
    from headrank.generative.settings import GenerativeSettings
    from headrank.generative.task import Query, Task
    from headrank.heads.head_set import HeadSet
    from headrank.heads.judged import Judged
    from headrank.prompts.templates import Template
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts
    from headrank.settings import Settings

# What a method needs besides a backbone, queries and passages.
NOTHING = "nothing more"
HEAD_SET = "a head set"
ROUTER = "a router"
ADAPTER = "an adapter"

# What a query of N candidates costs.
ONE_PASS = "1 pass"
TWO_BRANCHES = "1 pass, query and null query"
CUT_PASS = "1 pass, down to the deepest head"
CUT_BRANCHES = "1 pass down to the deepest head, query and null query"
EACH_PASSAGE = "N passes"

# The suffix of a method that repeats what its authors' code does.
RELEASED = "-faithful"


@dataclass(frozen=True)
class Criterion:
    """A way to choose heads. settings: the sections of ``headrank`` that the choice depends on. count: the key that
    says how many heads are chosen, such as ``selection.k``; None where the model decides.

    choose: raises InputError when no list has both relevant and other documents.
    """

    name: str
    choose: Callable[[Judged], HeadSet]
    settings: tuple[str, ...] = ("baselines",)
    count: str | None = None

    def asked(self, settings: Mapping[str, Any]) -> int | None:
        """How many heads these settings, as nested mappings, ask for."""
        if self.count is None:
            return None
        section, key = self.count.split(".")
        return int(settings[section][key])


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A method. title: in tables and figures. about: what it is and its arXiv number, for ``headrank methods``.

    criterion: how its heads are chosen, unless another entry says so; trained methods may use the heads of any
    criterion. studies_only: it makes sense only in a study, and cannot be requested by name on the command line.
    """

    name: str
    title: str
    kind: str
    about: str = ""
    cost: str = ""
    criterion: Criterion | None = None
    studies_only: bool = False

    @property
    def needs(self) -> str:
        """What the method needs besides a backbone, queries and passages."""
        return NOTHING


@dataclass(frozen=True, kw_only=True)
class Frozen(Entry):
    """A method that reads the attention of a backbone as it is; all of them share one prompt and one pass per query.

    head_set: the name of the head set that it reads. pool: the queries that the set was chosen on, "training" or
    "detection". routed: a router chooses its heads.
    """

    build: Callable[[Parts], Method]
    kind: str = "frozen"
    head_set: str | None = None
    pool: str = "training"
    routed: bool = False

    @property
    def needs(self) -> str:
        return ROUTER if self.routed else HEAD_SET if self.head_set else NOTHING


@dataclass(frozen=True, kw_only=True)
class Released(Frozen):
    """A method as its authors' code runs it, with a prompt, and so a pass, of its own.

    template: by chat family and BEIR's name of the benchmark. order: of the candidates in the prompt.
    """

    template: Callable[[str, str], Template]
    order: str

    @classmethod
    def of(
        cls,
        base: Frozen,
        template: Callable[[str, str], Template],
        order: str,
        build: Callable[[Parts], Method] | None = None,
    ) -> Released:
        """The released form of ``base``. build: where the released code scores otherwise than ``base``."""
        return cls(
            name=f"{base.name}{RELEASED}",
            title=f"{base.title} (as released)",
            about=f"{base.title}'s own prompt, order and spans",
            cost=base.cost,
            head_set=base.head_set,
            build=build or base.build,
            template=template,
            order=order,
        )


@dataclass(frozen=True, kw_only=True)
class Trained(Entry):
    """A method whose heads were trained; the settings saved with its adapter say how.

    fits: whether an adapter of these heads and settings is this method; without it, the settings do not tell it from
    HeadRank.
    """

    fits: Callable[[HeadSet, Settings], bool] | None = None
    kind: str = "trained"

    @property
    def needs(self) -> str:
        return ADAPTER


@dataclass(frozen=True, kw_only=True)
class Asked(Entry):
    """A method that asks the model about passages instead of reading its attention.

    effort: what it asks about a query with this many passages. writes: the model is asked for an answer in a given form
    (a permutation, a label), and the table of formats counts how often it keeps to it; setwise reads the logits of the
    labels, and counts how often the model would have written one. weights: what it needs instead of a backbone.
    """

    ask: Callable[[Query], Task]
    effort: Callable[[int, GenerativeSettings], Effort]
    kind: str = "generative"
    writes: bool = False
    weights: str = ""

    @property
    def needs(self) -> str:
        return self.weights or NOTHING
