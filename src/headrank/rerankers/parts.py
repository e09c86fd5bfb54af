"""What the methods on a frozen backbone are built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headrank.engine.backbone import Backbone
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.router import Router
from headrank.prompts.builder import PromptBuilder
from headrank.settings import Settings


@dataclass(frozen=True)
class Parts:
    """builder: of the prompts that the methods share. heads: head sets by name. router: RouteHead's.

    Raises InputError for heads or a router of another model.
    """

    backbone: Backbone
    builder: PromptBuilder
    heads: Mapping[str, HeadSet]
    settings: Settings
    router: Router | None = None

    def __post_init__(self) -> None:
        for name, heads in self.heads.items():
            heads.fits(self.backbone.identity, f"head set {name!r}")
        if self.router is not None:
            self.router.fits(self.backbone, "routehead's router")
