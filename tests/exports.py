"""An adapter of a tiny model and its export, for tests of what others load."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants as client
import pytest
import torch
from support import checkpoint

from headrank.engine.backbone import load_backbone
from headrank.export.adapter import Wishes, export_adapter
from headrank.heads.head_set import HeadSet
from headrank.settings import Settings, TrainingSettings, to_mapping
from headrank.training.adapter import attach_lora, save_adapter

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
BASE = "maker/tiny"
LICENCE = "apache-2.0"
HEADS = HeadSet("headrank", "tiny", 4, 4, ((2, 1), (1, 2)), (1.0, 0.5), provenance={"queries": 12})


def trained(target: Path, model: str | Path = "", heads: HeadSet = HEADS) -> Path:
    """An adapter's folder as training writes it, whose weights are far from zero."""
    backbone = load_backbone(model or checkpoint("qwen3"), heads.depth)
    heads = replace(heads, model=backbone.name, fingerprint=backbone.identity.fingerprint)
    torch.manual_seed(3)
    adapted = attach_lora(backbone, heads, TrainingSettings(lora_r=4))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.2)
    save_adapter(adapted, target, backbone, heads, to_mapping(Settings()), "headrank")
    return target


def exported(adapter: Path, target: Path, **wishes: object) -> Path:
    """Its export, with a public name for the base."""
    given = {"base": f"{BASE}@{COMMIT}", "licence": LICENCE, **wishes}
    with pytest.MonkeyPatch.context() as patch:
        # The hub is not asked for the licence of a model that it does not have.
        patch.setattr(client, "HF_HUB_OFFLINE", True)
        export_adapter(adapter, target, Wishes(**given))  # type: ignore[arg-type]
    return target
