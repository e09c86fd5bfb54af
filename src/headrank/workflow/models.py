"""The models of a study (backbones, rerankers, encoders): where each comes from, and the files that it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrank.engine.gguf.find import find_gguf

Config = Mapping[str, Any]


class Models:
    """config: checked and complete. data: the folder that its paths are relative to. results: what a study builds."""

    def __init__(self, config: Config, data: str, results: str) -> None:
        self.config = config
        self.data = data
        self.results = results
        self.specs: dict[str, Config] = {
            **config["backbones"],
            **config["rerankers"],
            **config["encoders"],
        }

    def of(self, source: str) -> list[str]:
        """Models that come from this source."""
        return [name for name, spec in self.specs.items() if spec["source"] == source]

    def gguf_fetched(self, model: str) -> str:
        """Where the file of a model is put when it is downloaded from the hub."""
        return f"{self.results}gguf/{model}.gguf"

    def gguf_at_hand(self, model: str) -> Path | None:
        """The file of a model on this machine; None where it has to come from the hub."""
        return find_gguf(self.specs[model]["file"], self.config["models"])

    def gguf_file(self, model: str) -> str:
        """The file that a model is dequantised from: the one on this machine if there is one."""
        return str(self.gguf_at_hand(model) or self.gguf_fetched(model))

    def checkpoint_config(self, model: str) -> str:
        """The file that a local checkpoint has to hold."""
        return str(Path(self.data, self.specs[model]["path"], "config.json"))

    def tokenizer_file(self, model: str) -> str:
        """The tokenizer of a backbone planted on real text."""
        return str(Path(self.data, self.specs[model]["tokenizer"], "tokenizer.json"))

    def downloads(self, models: list[str]) -> list[str]:
        """What these models take from the hub."""
        hub, gguf = self.of("hub"), self.of("gguf")
        return [
            *(f"{self.results}backbones/{name}" for name in models if name in hub),
            *(self.gguf_fetched(name) for name in models if name in gguf and not self.gguf_at_hand(name)),
        ]
