"""Backbones: a Hugging Face decoder with its tokenizer, loaded to the depth that is needed."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from headrank.process.large_imports import uncollected

with uncollected():
    import torch
    import transformers
    from safetensors import SafetensorError
    from torch import nn
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from headrank.data.json_files import read_object
from headrank.engine.attention import IMPLEMENTATION
from headrank.engine.devices import choose_device
from headrank.engine.fingerprint import fingerprints
from headrank.engine.identity import Identity
from headrank.engine.lora import for_reading
from headrank.engine.lora_files import read_lora
from headrank.engine.places import folder_of
from headrank.engine.supported import check_config, check_counts, check_model, restore_whole, shorten
from headrank.errors import InputError, UsageError, unreadable

DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Backbone:
    """A loaded model: ``n_layers`` is the checkpoint's depth, ``depth`` how many layers are in memory.

    folder: what it was loaded from, if anything. revision: of a model of the hub, where one was asked for.
    """

    name: str
    model: nn.Module
    tokenizer: Any
    n_layers: int
    n_heads: int
    depth: int
    folder: Path | None = None
    revision: str | None = None

    @cached_property
    def identity(self) -> Identity:
        """Which model this is, whatever is found on it or trained for it."""
        return _identity(self.name, self.folder, self.n_layers, self.n_heads)

    @property
    def decoder(self) -> nn.Module:
        """The decoder without its LM head: what a forward pass runs."""
        model: Any = self.model
        found: nn.Module = model.get_decoder()
        return found

    def all_heads(self) -> list[tuple[int, int]]:
        """Every (layer, query head) in memory, layer by layer."""
        return [(layer, head) for layer in range(self.depth) for head in range(self.n_heads)]


def read_config(path: str, revision: str | None = None) -> Any:
    """The configuration of a model, which the engine must be able to read.

    Raises InputError for a path without a configuration and for a model that cannot be read
    (``headrank.engine.supported``).
    """
    return _read_config(path, folder_of(path, revision))


def identify(path: str, revision: str | None = None) -> Identity:
    """Which model this is, before it is loaded; raises what ``read_config`` raises."""
    folder = folder_of(path, revision)
    config = _read_config(path, folder)
    return _identity(path, folder, config.num_hidden_layers, config.num_attention_heads)


def _identity(name: str, folder: Path | None, n_layers: int, n_heads: int) -> Identity:
    digests = fingerprints(folder) if folder else (None,)
    return Identity(name, n_layers, n_heads, digests[0], tuple(d for d in digests[1:] if d))


def _read_config(path: str, folder: Path) -> Any:
    try:
        given = read_object(folder / "config.json", "model configuration")
    except InputError as error:
        raise unreadable(error)(f"{path}: no usable model configuration ({error})") from error
    check_counts(given, path)
    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    # A malformed value of config.json may raise anything, in transformers or in what it calls.
    except Exception as error:
        # The reason stands in the lines behind the first.
        reason = " ".join(str(error).split())[:240] or type(error).__name__
        raise InputError(f"{path}: no usable model configuration ({reason})") from error
    check_config(config, path)
    return config


def load_backbone(
    path: str | Path,
    depth: int | None = None,
    dtype: str = "auto",
    device: str = "auto",
    revision: str | None = None,
    adapter: str | Path | None = None,
) -> Backbone:
    """Load a decoder: only its first ``depth`` layers if given, and with an adapter if given.

    path: a checkpoint folder, a GGUF file (dequantised once, see ``headrank.engine.gguf.cache``) or a hub id.

    In float32 the adapter is merged into the weights. In 16 bits it stays separate (``headrank.engine.lora.Beside``):
    rounding the sum to 8 bits of mantissa would lose most of what training changed.

    dtype: "auto" (the checkpoint's own), "float32", "bfloat16" or "float16"; device: "auto" (a GPU that no other
    process of this library has taken, or else the CPU), "cpu", "cuda", ...
    Weights come from safetensors files only and no remote code is run.
    """
    path = str(path)
    if dtype not in DTYPES:
        raise UsageError(f"dtype {dtype!r} is unknown; known: {', '.join(DTYPES)}")
    folder = folder_of(path, revision)
    config = _read_config(path, folder)
    n_layers, n_heads = config.num_hidden_layers, config.num_attention_heads
    depth = n_layers if depth is None else depth
    if not 1 <= depth <= n_layers:
        raise UsageError(f"{path}: depth {depth} is not within 1..{n_layers}")
    whole = copy.deepcopy(config)
    shorten(config, depth)
    model: Any
    info: dict[str, Any]
    try:
        with _quiet(), uncollected():
            model, info = AutoModelForCausalLM.from_pretrained(  # type: ignore[misc]
                str(folder),
                config=config,
                dtype=dtype if dtype == "auto" else getattr(torch, dtype),
                attn_implementation=IMPLEMENTATION,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
            tokenizer = _load_tokenizer(folder, path)
    except SafetensorError as error:
        raise InputError(f"{path}: damaged weights ({_first_line(error)})") from error
    except InputError:
        raise
    # As with the configuration: whatever is wrong in the files, and a library that a quantised checkpoint needs.
    except Exception as error:
        raise InputError(f"{path}: cannot load the checkpoint ({_first_line(error)})") from error
    missing = sorted(info["missing_keys"])
    if missing:
        raise InputError(f"{path}: the checkpoint lacks {len(missing)} weights, such as {missing[0]}")
    if depth < n_layers:
        restore_whole(model, whole, path)
    if adapter is not None:
        model = _add_adapter(model, Path(adapter))
    if device == "auto":
        device = choose_device()
    try:
        model = model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"device {device!r} cannot be used ({_first_line(error)})") from error
    check_model(model.eval(), path)
    return Backbone(path, model, tokenizer, n_layers, n_heads, depth, folder, revision)


def _load_tokenizer(folder: Path, path: str) -> Any:
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
        # Without tokenizer files, transformers makes an empty tokenizer of the model's kind, which gives no tokens for
        # any text.
        empty = not tokenizer("a", add_special_tokens=False)["input_ids"]
    except Exception as error:
        raise InputError(
            f"{path}: no usable tokenizer (tokenizer.json, tokenizer_config.json: {_first_line(error)})"
        ) from error
    if empty:
        raise InputError(f"{path}: no usable tokenizer (tokenizer.json)")
    return tokenizer


def _add_adapter(model: nn.Module, directory: Path) -> nn.Module:
    """Put a LoRA adapter on a model, checking that each of its tensors found its place.

    peft loads an adapter onto a model of another depth without an error, so the check is done here.
    """
    from peft import LoraConfig, PeftModel, get_peft_model_state_dict

    lora = read_lora(directory)
    # What the files say is checked before peft, which would run any pattern and start any method that they name.
    strength: Any = lora.alpha
    config = LoraConfig(r=lora.rank, lora_alpha=strength, target_modules=list(lora.modules), bias="none")
    try:
        # peft still asks for an attribute that transformers has renamed.
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
            # Said below, with the adapter's name.
            warnings.filterwarnings("ignore", message="Found missing adapter keys")
            adapted = PeftModel.from_pretrained(model, str(directory), config=config)
    except Exception as error:
        raise InputError(f"{directory}: the adapter does not fit the model ({_first_line(error)})") from error
    # Otherwise peft looks for the base model's configuration, on the hub if the folder is not available.
    loaded = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    unused = sorted(lora.tensors - set(loaded))
    absent = sorted(set(loaded) - lora.tensors)
    if unused or absent:
        name = (unused or absent)[0]
        raise InputError(f"{directory}: the adapter does not fit the model (no counterpart for {name})")
    if next(model.parameters()).dtype != torch.float32:
        return for_reading(adapted)
    found: nn.Module = adapted.merge_and_unload()
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Loading fewer layers than the checkpoint holds is intended; the loader's report on it is noise."""
    logger = logging.getLogger("transformers")
    before = logger.level
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(before)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
