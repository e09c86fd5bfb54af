"""What the table says of a method: how it is named and shown, what it needs and costs, how it is built.

What it is built from is imported when it is built, so that nobody has to load PyTorch to read the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrank.generative.effort import Effort
    from headrank.generative.settings import GenerativeSettings
    from headrank.generative.task import Query, Task
    from headrank.heads.head_set import HeadSet
    from headrank.heads.judged import Judged
    from headrank.prompts.templates import Template
    from headrank.rerankers.method import Method
    from headrank.rerankers.parts import Parts

# What a method needs beside a backbone, queries and passages.
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
    """Who chooses heads. settings: the sections of ``headrank`` that the choice depends on.

    choose: raises InputError when no list has both relevant and other documents.
    """

    name: str
    choose: Callable[[Judged], HeadSet]
    settings: tuple[str, ...] = ("baselines",)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A method. title: in tables and figures. about: what it is and its arXiv number, for ``headrank methods``.

    criterion: who chooses its heads, where no other entry says it; trained methods may have theirs from any.
    studies_only: it makes sense in a study alone, and cannot be asked for by name on the command line.
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
        """Beside a backbone, queries and passages."""
        return NOTHING


@dataclass(frozen=True, kw_only=True)
class Frozen(Entry):
    """A method that reads the attention of a backbone as it is; all of them share one prompt and one pass per query.

    head_set: the name of the one that it reads. pool: the queries that it was chosen on, "training" or "detection".
    routed: its heads are a router's.
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
    """A method whose heads were trained; how, is in the settings that its adapter keeps."""

    kind: str = "trained"

    @property
    def needs(self) -> str:
        return ADAPTER


@dataclass(frozen=True, kw_only=True)
class Asked(Entry):
    """A method that asks the model about passages instead of reading its attention.

    effort: what it asks about a query with so many passages. writes: the model answers with a text that a program must
    read; of the other methods' answers only logits are looked at. weights: what it needs in place of a backbone.
    """

    ask: Callable[[Query], Task]
    effort: Callable[[int, GenerativeSettings], Effort]
    kind: str = "generative"
    writes: bool = False
    weights: str = ""

    @property
    def needs(self) -> str:
        return self.weights or NOTHING
