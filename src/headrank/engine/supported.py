"""Which models the engine reads correctly; all others are refused by name, before any weights are loaded if possible.

The engine sees a model only where the model passes queries, keys and its layer's mask to a registered attention
function. What happens before that (projections, norms, rotary positions of any kind) and after it (experts, norms) is
the model's own, and the engine need not know it. But tokens must not interact anywhere else, and the function must
receive everything that the attention weights depend on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from headrank.engine.attention import run
from headrank.engine.capture import Capture, Read
from headrank.engine.layer_masks import Unreadable
from headrank.engine.packing import Segment
from headrank.engine.softmax import Softmax
from headrank.errors import InputError, PrerequisiteError, RunError
from headrank.process.large_imports import uncollected

with uncollected():
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    )

# Settings that tie a layer to others than the one below, so that cutting a model to its first layers would change it.
_BETWEEN_LAYERS = {
    "num_kv_shared_layers": "layers without keys of their own",
    "hidden_size_per_layer_input": "embeddings of their own for each layer",
}
# Types that a pass shows to be unreadable, whatever their sizes: named here, they are refused before any weights are
# read. tests/unit/engine/test_decoders.py walks through all types of the installed transformers.
_SHOWN_BY_A_PASS = {
    "diffllama": "has layers with more than one attention",
    "doge": "has attention masks of its own making",
    "gemma3n_text": "has several streams of states in each layer",
    "hrm_text": "is not built of a list of layers",
    "llama4_text": "is not built of a list of layers",
    "longcat_flash": "is not built of a list of layers",
    "modernbert-decoder": "is not built of a list of layers",
    "nemotron": "has layers that pass nothing on to their attention",
}
# More layers, or heads in one, than any model has: such a number is damage, and building them would take for ever.
_MOST = 10_000
_COUNTS = {
    "num_hidden_layers",
    "num_layers",
    "n_layer",
    "num_attention_heads",
    "num_key_value_heads",
    "n_head",
}
# Attributes that say how a module is used, not what it is.
_OF_USE = {"training", "gradient_checkpointing"}
# Kinds of layers in which tokens interact only through attention, under a mask that transformers makes
# (headrank.engine.layer_masks).
LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


def check_counts(given: dict[str, Any], path: str) -> None:
    """Refuse a config.json whose counts would keep transformers busy for ever, before it is given to transformers."""
    for name in sorted(_COUNTS & given.keys()):
        if isinstance(given[name], int | float) and given[name] > _MOST:
            raise InputError(
                f"{path}: no usable model configuration ({name} is {given[name]:.3g}, above {_MOST})"
            )


def check_config(config: Any, path: str) -> None:
    """Raises InputError, naming the model's type, for a model that the engine cannot read."""
    kind = config.model_type
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or getattr(config, "is_encoder_decoder", False):
        raise InputError(f"{path}: model type {kind!r} is not a decoder (causal language model)")
    if kind in _SHOWN_BY_A_PASS:
        raise InputError(f"{path}: model type {kind!r} {_SHOWN_BY_A_PASS[kind]}, which is not supported")
    # Gemma's; "vision" is of pictures alone.
    if getattr(config, "use_bidirectional_attention", None) in (True, "all"):
        raise InputError(f"{path}: model type {kind!r} has attention that is not causal")
    if config.sub_configs:
        within = ", ".join(config.sub_configs)
        raise InputError(
            f"{path}: model type {kind!r} is composed of parts ({within}); give a plain text model's checkpoint"
        )
    if not getattr(config, "rope_parameters", None) and not hasattr(config, "rope_theta"):
        raise InputError(f"{path}: model type {kind!r} has no rotary attention")
    model: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    if not model._supports_attention_backend:
        raise InputError(
            f"{path}: model type {kind!r} computes attention in a way of its own, which cannot be read"
        )
    for name, what in _BETWEEN_LAYERS.items():
        if getattr(config, name, None):
            raise InputError(f"{path}: model type {kind!r} has {what} ({name}), which are not supported")
    others = sorted(set(getattr(config, "layer_types", None) or []) - LAYERS)
    if others:
        raise InputError(
            f"{path}: model type {kind!r} has layers of {', '.join(others)}, which are not supported"
        )
    for name in ("num_hidden_layers", "num_attention_heads"):
        count = getattr(config, name, None)
        if type(count) is not int or not 1 <= count <= _MOST:
            raise InputError(
                f"{path}: model type {kind!r} with {name} {count!r}, which should be a whole number from 1 to {_MOST}"
            )
    _check_quantised(config, path)


def _check_quantised(config: Any, path: str) -> None:
    """Refuse a quantised checkpoint of an unknown kind, which would be read as numbers of another meaning, or without
    the library that reads it.
    """
    given = getattr(config, "quantization_config", None)
    if given is None:
        return
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING, AutoHfQuantizer

    method = given.get("quant_method") if isinstance(given, dict) else getattr(given, "quant_method", None)
    name = str(getattr(method, "value", method))
    if name not in AUTO_QUANTIZER_MAPPING and not name.startswith("bitsandbytes"):
        raise InputError(
            f"{path}: quantised in a way that transformers does not know (quant_method {method!r})"
        )
    try:
        AutoHfQuantizer.from_config(given, pre_quantized=True).validate_environment(device_map=None)
    except ImportError as error:
        reason = str(error).strip().split("\n")[0][:200]
        raise PrerequisiteError(
            f"{path}: quantised by {name}, whose library is missing ({reason})"
        ) from error
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise InputError(f"{path}: quantised by {name}, which cannot be read here ({reason})") from error


@dataclass
class _Once(Capture):
    """A capture that expects one attention in each layer, with ``n_heads`` query heads."""

    n_heads: int = 0

    def read(self, layer: int, query: Tensor, key: Tensor, softmax: Softmax) -> None:
        if query.shape[1] != self.n_heads:
            raise Unreadable("has layers with different numbers of heads")
        if layer in self.mass:
            raise Unreadable("has layers with more than one attention")
        super().read(layer, query, key, softmax)


def shorten(config: Any, depth: int) -> None:
    """Change a configuration to that of the model's first ``depth`` layers."""
    whole = config.num_hidden_layers
    config.num_hidden_layers = depth
    # Lists that describe each layer: its attention, its experts, whether it has rotary positions.
    for name, value in list(vars(config).items()):
        if "layer" in name and isinstance(value, list) and len(value) == whole:
            setattr(config, name, value[:depth])


def restore_whole(model: Any, whole: Any, path: str) -> None:
    """Restore in a shortened model's layers what depends on how many the whole model has (MiniCPM3's residuals).

    whole: the configuration before it was shortened.
    """
    for index, layer in enumerate(getattr(model.get_decoder(), "layers", [])):
        try:
            with torch.device("meta"):
                twin = type(layer)(whole, index)
        except Exception as error:
            raise InputError(
                f"{path}: model type {whole.model_type!r} cannot be cut to fewer layers"
            ) from error
        parts = dict(layer.named_modules())
        for name, part in twin.named_modules():
            for attribute, value in vars(part).items():
                own = attribute not in _OF_USE and not attribute.startswith("_")
                if own and isinstance(value, int | float) and name in parts:
                    setattr(parts[name], attribute, value)


@torch.no_grad()
def check_model(model: Any, path: str) -> None:
    """Raises InputError, naming the model's type, unless a pass over a few tokens reads one attention in each layer.

    Costs little more than reading the weights once.
    """
    kind = model.config.model_type
    decoder = model.get_decoder()
    layers = getattr(decoder, "layers", None)
    if not isinstance(layers, nn.ModuleList) or len(layers) != model.config.num_hidden_layers:
        raise InputError(
            f"{path}: model type {kind!r} is not built of a list of layers, which is not supported"
        )
    heads = {layer: [0] for layer in range(len(layers))}
    capture = _Once([Segment(0, 2, (2, 1))], [Read(0, 0, 0, 2), Read(0, 1, 0, 1)], heads)
    capture.n_heads = model.config.num_attention_heads
    try:
        run(decoder, [[0] * 5], capture)
    except Unreadable as error:
        raise InputError(f"{path}: {error}") from error
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"{path}: the model fits the device's memory, but a pass over a few tokens does not"
        ) from error
    except Exception as error:
        reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise InputError(f"{path}: model type {kind!r} cannot be read ({reason})") from error
