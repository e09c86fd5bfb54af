"""What is trained and how it is saved: LoRA up to the deepest chosen head, and the adapter's folder (R10)."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from headrank.data.atomic import write_json
from headrank.data.digests import file_digest
from headrank.data.files import open_regular, read_whole
from headrank.data.json_files import read_json
from headrank.engine.backbone import Backbone
from headrank.engine.gguf.cache import checkpoint
from headrank.engine.gguf.origin import read_origin
from headrank.engine.lora import without_copies
from headrank.errors import InputError
from headrank.heads.head_set import HeadSet
from headrank.settings import TrainingSettings
from headrank.specs import read_value

SCHEMA = 1
WEIGHTS = "adapter_model.safetensors"
QK = r"self_attn\.[qk]_proj"


def target_modules(layers: Iterable[int], modules: str, first: int = 0) -> str:
    """Regular expression for the projections that get LoRA; layers: those with chosen heads. None below ``first``.

    ``all``: all seven projections in the layers below the deepest of them, and only q and k in that one: its values,
    output and MLP, and everything above, never reach the read-out and would get no gradient. ``qk``: q and k in all
    layers up to the deepest. ``chosen-qk``: q and k of the given layers only.
    """
    chosen = sorted(set(layers))
    last = chosen[-1]
    below = [layer for layer in (chosen[:-1] if modules == "chosen-qk" else range(last)) if layer >= first]
    inner = r"(?:self_attn\.[qkvo]_proj|mlp\.(?:gate|up|down)_proj)" if modules == "all" else QK
    places = [*(rf"layers\.{layer}\.{inner}" for layer in below), rf"layers\.{last}\.{QK}"]
    return rf".*\.(?:{'|'.join(places)})"


def attach_lora(backbone: Backbone, heads: HeadSet, settings: TrainingSettings) -> Any:
    """Wrap the backbone's model in a LoRA adapter; returns the peft model, whose adapter alone is trainable."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=target_modules(
            (layer for layer, _ in heads.heads),
            settings.modules,
            round(settings.first_layer * backbone.n_layers),
        ),
        bias="none",
    )
    try:
        model = get_peft_model(backbone.model, config)
    except ValueError as error:
        raise InputError(f"{backbone.name}: cannot attach LoRA ({str(error).splitlines()[0]})") from error
    adapted = [name for name, _ in model.named_parameters() if "lora_" in name]
    for projection in ("q_proj", "k_proj"):
        # peft accepts any match, but without these two nothing that is read out would be trained.
        if not any(f"layers.{heads.deepest}.self_attn.{projection}." in name for name in adapted):
            raise InputError(
                f"{backbone.name}: cannot attach LoRA (no {projection} in layer {heads.deepest})"
            )
    without_copies(model)
    return model


def fingerprint(backbone: str) -> str | None:
    """SHA-256 over a local backbone's config.json and samples of its weights; None if it is not a local file or folder.

    From each safetensors file, the size and 64 evenly spaced pieces of 64 KiB are hashed: this distinguishes base
    models without reading gigabytes, but does not protect against tampering. For a backbone from a GGUF file, the
    digest of that file replaces the configuration, which may contain more under another version of transformers.
    """
    path = Path(checkpoint(backbone))
    if not (path / "config.json").is_file():
        return None
    origin = read_origin(path)
    digest = hashlib.sha256(origin["sha256"].encode() if origin else read_whole(path / "config.json"))
    for file in sorted(path.glob("*.safetensors")):
        size = file.stat().st_size
        digest.update(f"{file.name} {size}".encode())
        with open_regular(file) as stream:
            for i in range(64):
                stream.seek(size * i // 64)
                digest.update(stream.read(1 << 16))
    return digest.hexdigest()


def save_adapter(
    model: Any, directory: str | Path, backbone: Backbone, heads: HeadSet, settings: dict[str, Any]
) -> None:
    """Write the adapter's folder whole or not at all: weights, peft's configuration, head set and settings."""
    target = Path(directory)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        model.peft_config["default"].base_model_name_or_path = backbone.name
        # Unless save_embedding_layers is off, peft looks for the base model's configuration, on the hub if there is no
        # such folder.
        model.save_pretrained(temporary, safe_serialization=True, save_embedding_layers=False)
        # peft's stub of a model card says nothing about this model.
        (temporary / "README.md").unlink(missing_ok=True)
        heads.save(temporary / "heads.json")
        weights = hashlib.sha256((temporary / WEIGHTS).read_bytes()).hexdigest()
        description = {
            "schema": SCHEMA,
            "backbone": backbone.name,
            "backbone_fingerprint": fingerprint(backbone.name),
            "n_layers": backbone.n_layers,
            "depth": heads.depth,
            "weights_sha256": weights,
            "settings": settings,
        }
        write_json(temporary / "headrank_config.json", description)
        temporary.chmod(0o755)
        # The old adapter is moved aside, not removed, until the new one is in its place.
        aside = temporary.with_name(f"{temporary.name}.old")
        if target.exists():
            target.rename(aside)
        try:
            temporary.rename(target)
        except OSError:
            if aside.exists():
                aside.rename(target)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_adapter(directory: str | Path, backbone: str) -> HeadSet:
    """The adapter's head set, after checking that weights and backbone are the ones it was made with."""
    folder = Path(directory)
    path = folder / "headrank_config.json"
    description = read_value(Mapping[str, Any], read_json(path, "adapter description"), str(path))
    try:
        weights = file_digest(folder / WEIGHTS)
    except OSError as error:
        raise InputError(f"{folder}: no readable adapter ({error})") from error
    if weights != description.get("weights_sha256"):
        raise InputError(f"{folder / WEIGHTS}: damaged, its checksum is not the one in {path.name}")
    expected, found = description.get("backbone_fingerprint"), fingerprint(backbone)
    if expected and found and expected != found:
        raise InputError(
            f"{folder}: trained on another backbone than {backbone} (their configuration or weights differ)"
        )
    return HeadSet.load(folder / "heads.json")
