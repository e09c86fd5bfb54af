"""All checks of an installation, one after the other; a check that breaks has failed, and the others are still done."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from headrank.doctor import places, system, versions
from headrank.doctor.check import PREREQUISITE, RESOURCE, WRONG, Check, failed, ok
from headrank.errors import InputError

if TYPE_CHECKING:
    from headrank.doctor.world import World
    from headrank.engine.backbone import Backbone
    from headrank.prompts.builder import PromptBuilder

# Passages of the prompts that numbers are compared on.
_SIZES = (3, 5, 4, 7)


def examine(
    model: str | None = None, device: str = "auto", dtype: str = "float32", revision: str | None = None
) -> Iterator[Check]:
    """All checks, each yielded when it is done.

    model, device, dtype, revision: the backbone whose numbers are checked, as for ``load_backbone``; None for the
    planted one of the self-test, which needs no download.
    """
    root = versions.clone()
    yield from _done("python", PREREQUISITE, versions.python_version)
    yield from _done("headrank", PREREQUISITE, partial(versions.own_version, root))
    yield from _done("packages", PREREQUISITE, partial(versions.package_versions, root))
    yield from _done("platform", PREREQUISITE, system.platform_check)
    yield from _done("encoding", PREREQUISITE, system.encodings)
    yield from _done("git", PREREQUISITE, system.git)
    yield from _done("folders", PREREQUISITE, lambda: places.examine_folders(places.folders()))
    yield from _done("variables", RESOURCE, places.variables)
    yield from _done("threads", PREREQUISITE, system.threads)
    yield from _done("compiled attention", PREREQUISITE, system.compiled_attention)
    yield from _done("device", PREREQUISITE, partial(system.device, device))
    with tempfile.TemporaryDirectory(prefix="headrank-doctor-") as folder:
        yield from _done("numbers", WRONG, lambda: _of_models(Path(folder), model, device, dtype, revision))


def _of_models(
    folder: Path, model: str | None, device: str, dtype: str, revision: str | None
) -> Iterator[Check]:
    # Here and below: what loads PyTorch is loaded once the checks before it are done.
    from headrank.doctor.self_test import self_test
    from headrank.doctor.world import make_world

    # Progress bars would stand between the lines of the checks.
    with redirect_stderr(StringIO()):
        world = make_world(folder)
        checks = [*_done("self-test", WRONG, partial(self_test, world, device))]
    yield from checks
    try:
        backbone, builder = _load(model or str(world.backbone), device, dtype, revision)
    except InputError as error:
        yield failed("backbone", str(error), "", error.exit_status if model else WRONG)
        return
    name = model or "planted in a few seconds, without a download"
    yield ok("backbone", f"{name}: {backbone.n_layers} layers of {backbone.n_heads} heads, {dtype}")
    yield from _of_backbone(backbone, builder, world)


def _load(model: str, device: str, dtype: str, revision: str | None) -> tuple[Backbone, PromptBuilder]:
    from headrank.engine.backbone import load_backbone
    from headrank.prompts.builder import FAMILIES, PromptBuilder
    from headrank.settings import PromptSettings

    backbone = load_backbone(model, None, dtype, device, revision)
    for family in FAMILIES:
        with suppress(InputError):
            return backbone, PromptBuilder(backbone.tokenizer, PromptSettings(family=family))
    return backbone, PromptBuilder(backbone.tokenizer, PromptSettings(family="plain"))


def _of_backbone(backbone: Backbone, builder: PromptBuilder, world: World) -> Iterator[Check]:
    from headrank.doctor.numbers import examine_numbers
    from headrank.doctor.spans import spans_check

    yield from _done("spans", WRONG, partial(spans_check, backbone.tokenizer, builder))
    listed = zip(world.candidates, _SIZES, strict=False)
    prompts = [builder.build(c.query, c.documents[:size]) for c, size in listed]
    yield from _done("numbers", WRONG, lambda: examine_numbers(backbone, prompts))


def _done(name: str, status: int, work: Callable[[], Check | Iterable[Check]]) -> Iterator[Check]:
    """The checks of a piece of work; if it breaks, a failed one in place of those that are left."""
    try:
        found = work()
        yield from [found] if isinstance(found, Check) else found
    except InputError as error:
        yield failed(name, str(error), "", status)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        yield failed(
            name, f"could not be checked ({type(error).__name__}: {reason})", "report this line", status
        )
