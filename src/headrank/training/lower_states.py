"""Hidden states below the first layer that is adapted or read: training never changes them, so they are computed once.

If LoRA leaves the first layers as they are (``training.modules: chosen-qk``, ``training.first_layer``), the states that
enter the lowest layer that is adapted or has a chosen head depend only on the prompt. They are kept for lists that are
read more than once (held-out lists each epoch, training lists whose samples come round again), and a pass over such a
list begins at that layer.
"""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from headrank.engine.backbone import Backbone
from headrank.engine.forward import one_prefix, prompt_states
from headrank.engine.layer_entry import LayerEntry
from headrank.training.examples import Example
from headrank.training.memory import tokens

_LAYER = re.compile(r"\.layers\.(\d+)\.")
logger = logging.getLogger(__name__)


def first_adapted(model: Any) -> int:
    """The lowest layer with a trainable parameter."""
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    return min(int(found[1]) for found in map(_LAYER.search, names) if found)


class LowerStates:
    """States that enter ``layer``, for lists that are read more than once: in memory up to a bound, then on disk.

    uses: list id -> how often the run will read it. room: bytes of memory. If nothing can be gained (there is no layer
    below, no room is given, no list is read twice, or the model has dropout below), nothing is kept and every pass
    begins at the first layer. folder: where states that exceed the room are stored; a temporary one if None. branches:
    the branches of the prompt that are read.
    """

    def __init__(
        self,
        backbone: Backbone,
        layer: int,
        uses: Mapping[int, int],
        room: float,
        folder: Path | None = None,
        branches: Sequence[str] = ("query",),
    ) -> None:
        self.backbone = backbone
        self.layer = layer
        self.room = room
        self.folder = folder
        self.branches = branches
        self.left = {i: n for i, n in uses.items() if n > 1}
        self.reason = self._against()
        if self.reason:
            self.left = {}
        self._memory: dict[int, Tensor] = {}
        self._disk: dict[int, Path] = {}
        self._place: Path | None = None
        self._full = False

    def describe(self, examples: Iterable[Example]) -> str:
        """One line for the log: what is kept, or why nothing is."""
        if self.reason:
            return f"every pass begins at the first layer: {self.reason}"
        parameter = next(self.backbone.model.parameters())
        width = self.backbone.model.config.hidden_size * parameter.element_size()  # type: ignore[union-attr,operator]
        size = sum(tokens(e) for e in {e.list_id: e for e in examples}.values() if e.list_id in self.left)
        gib = size * width / 2**30
        return (
            f"the states that enter layer {self.layer}, the first that is adapted or read, are kept for"
            f" {len(self.left)} lists, which are read more than once: {gib:.2f} GiB, at most"
            f" {self.room / 2**30:.2f} GiB of them in memory"
        )

    def entry(self, example: Example) -> LayerEntry | None:
        """Where a pass over the example's prompt begins; None: at the first layer."""
        key = example.list_id
        if self.left.get(key, 0) < 1:
            return None
        device = next(self.backbone.model.parameters()).device
        states = self._find(key)
        if states is None:
            if not one_prefix(self.backbone, example.prompt, self.branches):
                self.left[key] = 0
                return None
            states = prompt_states(self.backbone, example.prompt, self.branches, self.layer)
            if self.left[key] > 1:
                self._keep(key, states)
        self.left[key] -= 1
        if not self.left[key]:
            self._drop(key)
        return LayerEntry(self.layer, states.to(device))

    def close(self) -> None:
        """Forget everything."""
        self._memory.clear()
        self._disk.clear()
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
            self._place = None

    def _against(self) -> str:
        """Why nothing can be gained; empty if something can."""
        if not self.room:
            return "training.cache_gib is 0"
        if not self.layer:
            return "it is adapted, or a chosen head lies in it (training.modules, training.first_layer)"
        if _drops_out(self.backbone):
            return f"the model has dropout of its own below layer {self.layer}"
        return "" if self.left else f"no list needs the states that enter layer {self.layer} twice"

    def _find(self, key: int) -> Tensor | None:
        if key in self._disk:
            try:
                return load_file(self._disk[key])["states"]
            except (OSError, SafetensorError):
                del self._disk[key]
        return self._memory.get(key)

    def _keep(self, key: int, states: Tensor) -> None:
        size = states.numel() * states.element_size()
        if size <= self.room:
            self.room -= size
            self._memory[key] = states.cpu()
        elif not self._full:
            try:
                if self._place is None:
                    self._place = _empty(self.folder)
                path = self._place / f"{key}.safetensors"
                save_file({"states": states.cpu().contiguous()}, path)
                self._disk[key] = path
            except (OSError, SafetensorError) as error:
                self._full = True
                logger.warning("no more hidden states are kept: %s", error)

    def _drop(self, key: int) -> None:
        states = self._memory.pop(key, None)
        if states is not None:
            self.room += states.numel() * states.element_size()
        path = self._disk.pop(key, None)
        if path is not None:
            path.unlink(missing_ok=True)


def _empty(folder: Path | None) -> Path:
    """A directory for states, without what a killed process left in it."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="headrank-states-"))
    place = folder / "states"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def _drops_out(backbone: Backbone) -> bool:
    """Whether the model itself has dropout: then its lower states do not depend on the prompt alone."""
    config: Any = backbone.model.config
    values = {k: v for k, v in config.to_dict().items() if "dropout" in k or "pdrop" in k}
    return any(isinstance(v, int | float) and v > 0 for v in values.values())
