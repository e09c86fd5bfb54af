"""A method ready to rank: its backbone loaded as deep as it needs, its heads or adapter, its prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from headrank.engine.backbone import Backbone, identify, load_backbone
from headrank.errors import NotFoundError, UsageError
from headrank.generative.settings import GenerativeSettings
from headrank.heads.head_set import HeadSet
from headrank.heads.routing.router import Router
from headrank.methods.ask import rerank_asked
from headrank.methods.build import build, released_builder, rerank_released
from headrank.methods.entry import Asked, Frozen, Released
from headrank.methods.request import Request
from headrank.methods.table import METHODS, trained_as
from headrank.prompts.builder import PromptBuilder
from headrank.rerankers.parts import Parts
from headrank.rerankers.together import rerank_together
from headrank.rerankers.trained import trained
from headrank.settings import CandidateSettings, PromptSettings, Settings, to_mapping
from headrank.specs import read_spec
from headrank.training.adapter_places import adapter_folder
from headrank.training.saved_adapter import read_adapter

if TYPE_CHECKING:
    import pandas as pd

    from headrank.rerankers.candidates import Candidates
    from headrank.rerankers.method import Method

Calls = Callable[["pd.DataFrame"], None]


class Rank(Protocol):
    """The rankings of queries with candidates, a frame of ``headrank.data.rankings.COLUMNS``.

    tokens_per_pass: a pass holds the prompts of as many queries as fit it, at least one. Methods that ask the model
    have batches of their own and leave it.
    """

    def __call__(self, candidates: Sequence[Candidates], tokens_per_pass: int = 0) -> pd.DataFrame: ...


@dataclass(frozen=True)
class Ready:
    """A method with its model in memory.

    name: what its runs are called, for an adapter what it was trained as in its study, such as a variant's name. kind:
    the method of the table that it is. builder, method: its prompts, and what it reads from them; None where a method
    asks the model. order: of the candidates in its prompts. adapter: the folder of a trained method.
    """

    name: str
    kind: str
    backbone: Backbone
    settings: Settings
    rank: Rank
    builder: PromptBuilder | None = None
    method: Method | None = None
    order: str = "best-first"
    adapter: Path | None = None

    @property
    def alone(self) -> bool:
        """Whether passages are not limited by what fits one prompt, because a prompt holds one or a few of them."""
        return self.builder is None or self.builder.encoding.documents == "independent"


def located(request: Request) -> Request:
    """The request with its adapter's folder, which is downloaded if the adapter is named by its id on the hub."""
    return replace(request, adapter=adapter_folder(request.adapter)) if request.adapter else request


def depth_of(request: Request) -> int:
    """How many candidates of a query a method reranks unless told otherwise: as in training, or the default."""
    settings = read_adapter(request.adapter).settings if request.adapter else Settings()
    return settings.candidates.depth


def make_ready(
    request: Request,
    *,
    dtype: str = "auto",
    device: str = "auto",
    benchmark: str = "",
    calls: Calls | None = None,
    untrained: bool = False,
) -> Ready:
    """Load what a request, checked with ``Request.check``, asks for; its adapter is a folder (``located``).

    dtype, device: see ``load_backbone``. benchmark: BEIR's name, for ICR as released. calls: is given what a generative
    method asked and was answered (``headrank.generative.calls``), each time that it ranks. untrained: leave the weights
    of an adapter out, and keep all else: its heads before training.

    Raises InputError for an unusable model, for heads, a router or an adapter that are unusable or of another model,
    and for an adapter that was trained as something else than ``request.method``.
    """
    if request.adapter:
        return _trained(request, dtype, device, untrained)
    entry = METHODS[request.method or ""]
    if isinstance(entry, Asked):
        return _asked(entry, request, dtype, device, calls)
    if isinstance(entry, Frozen):
        return _frozen(entry, request, dtype, device, benchmark)
    raise UsageError(f"method {entry.name}: needs an adapter")


def _trained(request: Request, dtype: str, device: str, untrained: bool) -> Ready:
    saved = read_adapter(request.adapter or "")
    if request.backbone is None:
        base, commit = saved.base_to_load()
    else:
        base = request.backbone
        commit = saved.revision if base == saved.base.name else None
    commit = request.revision or commit
    try:
        identity = identify(base, commit)
    except NotFoundError as error:
        if request.backbone is not None:
            raise
        # A study's adapter names its model by a path from the study's working directory.
        raise NotFoundError(
            f"{error}; {request.adapter} names this model: start where that path leads to it, or give"
            f" {request.spelt('backbone')}"
        ) from error
    saved.fits(identity)
    heads, settings = saved.heads, saved.settings
    kind = trained_as(heads, settings)
    name = saved.name or kind
    if request.method not in (None, name, kind):
        raise UsageError(
            f"{request.spelt('method')} {request.method}: {request.adapter} was trained as {name}; leave"
            f" {request.spelt('method')} out"
        )
    if request.lengths:
        prompt = read_spec(PromptSettings, {**to_mapping(settings.prompt), **request.lengths}, "passages")
        settings = replace(settings, prompt=prompt)
    if request.order:
        given = {**to_mapping(settings.candidates), "order": request.order}
        settings = replace(settings, candidates=read_spec(CandidateSettings, given, "candidates"))
    adapter = None if untrained else request.adapter
    backbone = load_backbone(base, heads.depth, dtype, device, commit, adapter)
    builder = PromptBuilder(backbone.tokenizer, settings.prompt, encoding=settings.encoding)
    method = trained(heads, settings, name)
    rank, order = _together(backbone, builder, method, settings.candidates.order), settings.candidates.order
    return Ready(name, kind, backbone, settings, rank, builder, method, order, saved.folder)


def _frozen(entry: Frozen, request: Request, dtype: str, device: str, benchmark: str) -> Ready:
    given: dict[str, Any] = {"prompt": request.lengths}
    if request.family:
        given["prompt"]["family"] = request.family
    if request.order:
        given["candidates"] = {"order": request.order}
    settings = Settings.from_mapping(given)
    model, where = request.backbone or "", request.heads or ""
    router = Router.load(where) if entry.routed else None
    chosen = router.heads if router else HeadSet.load(where) if entry.head_set else None
    if chosen:
        chosen.fits(identify(model, request.revision), where)
    backbone = load_backbone(model, chosen.depth if chosen else None, dtype, device, request.revision)
    if router:
        router.fits(backbone, where)
    sets = {entry.head_set: chosen} if chosen and entry.head_set else {}
    builder = PromptBuilder(backbone.tokenizer, settings.prompt)
    parts = Parts(backbone, builder, sets, settings, router)
    if isinstance(entry, Released):
        builder = released_builder(entry, parts, benchmark)
        rank, method = _released(entry, parts, benchmark), entry.build(parts)
        return Ready(entry.name, entry.name, backbone, settings, rank, builder, method, entry.order)
    (method,) = build([entry.name], parts)
    order = settings.candidates.order
    rank = _together(backbone, builder, method, order)
    return Ready(entry.name, entry.name, backbone, settings, rank, builder, method, order)


def _asked(entry: Asked, request: Request, dtype: str, device: str, calls: Calls | None) -> Ready:
    cut = {key.removeprefix("truncate_"): value for key, value in request.lengths.items()}
    settings = read_spec(GenerativeSettings, cut, "generative")
    backbone = load_backbone(request.backbone or "", None, dtype, device, request.revision)

    def rank(candidates: Sequence[Candidates], tokens_per_pass: int = 0) -> pd.DataFrame:
        ranking, asked = rerank_asked(entry.name, backbone, candidates, settings)
        if calls:
            calls(asked)
        return ranking

    return Ready(entry.name, entry.name, backbone, Settings(), rank)


def _released(entry: Released, parts: Parts, benchmark: str) -> Rank:
    def rank(candidates: Sequence[Candidates], tokens_per_pass: int = 0) -> pd.DataFrame:
        return rerank_released([entry.name], parts, candidates, benchmark, tokens_per_pass)[entry.name]

    return rank


def _together(backbone: Backbone, builder: PromptBuilder, method: Method, order: str) -> Rank:
    def rank(candidates: Sequence[Candidates], tokens_per_pass: int = 0) -> pd.DataFrame:
        return rerank_together(backbone, builder, [method], candidates, order, tokens_per_pass)[method.name]

    return rank
