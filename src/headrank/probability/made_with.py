"""What a probability was fitted for: a method on a model with its prompt. Another one's signals mean something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from headrank.data.digests import file_digest
from headrank.engine.identity import Identity
from headrank.engine.lora_files import WEIGHTS
from headrank.errors import InputError, shown
from headrank.probability.signals import reading_parts
from headrank.specs import Count, Natural

if TYPE_CHECKING:
    from headrank.methods.ready import Ready

REMEDY = "rank as it was fitted, or fit again (headrank probability fit)"


@dataclass(frozen=True)
class MadeWith:
    """method: its name. heads: (layer, query head), in the method's order. adapter: SHA-256 of the adapter's weights.

    prompt: what decides how passages are read: chat frame, wording, cut, encoding, order, spans.
    """

    method: str
    model: str
    n_layers: Count
    n_heads: Count
    heads: tuple[tuple[Natural, Natural], ...]
    prompt: Mapping[str, Any]
    fingerprint: str | None = None
    adapter: str | None = None

    def fits(self, used: MadeWith, where: str) -> None:
        """Raise InputError, naming ``where`` and the first thing that differs, unless both are the same."""
        mine = Identity(self.model, self.n_layers, self.n_heads, self.fingerprint)
        theirs = Identity(used.model, used.n_layers, used.n_heads, used.fingerprint)
        mine.check(theirs, where, "fitted on", "fit again on the model itself")
        compared: list[tuple[str, Any, Any]] = [
            ("method", self.method, used.method),
            ("adapter", self.adapter, used.adapter),
            ("heads", self.heads, used.heads),
            *((key, self.prompt.get(key), used.prompt.get(key)) for key in {**self.prompt, **used.prompt}),
        ]
        for key, fitted, found in compared:
            if fitted != found:
                raise InputError(f"{where}: fitted with {key} {shown(fitted)}, not {shown(found)}; {REMEDY}")


def made_with(ready: Ready) -> MadeWith:
    """What signals of a method in memory are made with.

    Raises UsageError for a method that asks the model about passages: there is no attention to read.
    """
    builder, method = reading_parts(ready)
    identity, kernel = ready.backbone.identity, method.kernel
    prompt = {
        "family": builder.settings.family,
        **asdict(builder.template),
        **asdict(builder.encoding),
        "order": ready.order,
        "query_span": kernel.query_span,
        "document_span": kernel.document_span,
    }
    return MadeWith(
        ready.name,
        identity.name,
        ready.backbone.n_layers,
        ready.backbone.n_heads,
        method.heads,
        prompt,
        identity.fingerprint,
        file_digest(ready.adapter / WEIGHTS) if ready.adapter else None,
    )
