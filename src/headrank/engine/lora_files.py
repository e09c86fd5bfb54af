"""The two files that peft reads of an adapter's folder, checked before peft sees them.

peft takes from ``adapter_config.json`` which method to run, on which projections (a regular expression) and how
strongly. Here the projections are those that weights are stored for; no pattern is run, and what the file says besides
must agree with the weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrank.data.json_files import read_object
from headrank.errors import InputError, NotFoundError, one_line, shown

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
# Letters of a pattern: that of a model of 36 layers has some hundreds.
_LONGEST = 100_000
_TENSOR = re.compile(r"base_model\.model\.(.+)\.lora_[AB]\.weight")
# Variants of LoRA that training does not use; with one of them the same weights would be another adapter.
_PLAIN: dict[str, Any] = {
    "bias": "none",
    "use_rslora": False,
    "use_dora": False,
    "use_qalora": False,
    "lora_bias": False,
    "fan_in_fan_out": False,
    "alpha_pattern": {},
    "rank_pattern": {},
    "modules_to_save": None,
    "exclude_modules": None,
    "layers_to_transform": None,
    "layer_replication": None,
    "target_parameters": None,
    "trainable_token_indices": None,
}


@dataclass(frozen=True)
class Lora:
    """rank, alpha: LoRA's r and scale. modules: projections that have weights. tensors: names of all stored tensors."""

    rank: int
    alpha: float
    modules: tuple[str, ...]
    tensors: frozenset[str]


def read_lora(folder: Path) -> Lora:
    """An adapter's LoRA; InputError names the file and what is wrong with it."""
    shapes = _shapes(folder / WEIGHTS)
    path = folder / CONFIG
    given = read_object(path, "adapter configuration")
    if given.get("peft_type") != "LORA":
        raise InputError(f"{path}: peft_type is {shown(given.get('peft_type'))}, and only 'LORA' is trained")
    for key, plain in _PLAIN.items():
        if given.get(key, plain) not in (plain, None):
            raise InputError(
                f"{path}: {key} is {shown(given[key])}, which training does not write; restore the file"
            )
    rank: Any = given.get("r")
    alpha: Any = given.get("lora_alpha")
    if type(rank) is not int or rank < 1:
        raise InputError(f"{path}: r should be a whole number from 1, not {shown(rank)}; restore the file")
    if type(alpha) not in (int, float) or not 0 < alpha < 1e9:
        raise InputError(
            f"{path}: lora_alpha should be a positive number, not {shown(alpha)}; restore the file"
        )
    for name, shape in shapes.items():
        if len(shape) != 2 or shape[0 if ".lora_A." in name else 1] != rank:
            raise InputError(
                f"{folder / WEIGHTS}: {shown(name)} has shape {shape}, but r is {rank} in {CONFIG}"
            )
    modules = sorted({found[1] for found in map(_TENSOR.fullmatch, shapes) if found})
    if not modules:
        raise InputError(f"{folder / WEIGHTS}: holds no weights of LoRA")
    _check_named(path, given.get("target_modules"))
    return Lora(rank, alpha, tuple(modules), frozenset(shapes))


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise NotFoundError(f"{path}: no such adapter")
    try:
        with safe_open(path, framework="numpy") as stored:
            return {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: damaged weights ({one_line(error)})") from error


def _check_named(path: Path, named: Any) -> None:
    """Refuse what training does not write; the projections themselves are those that have weights."""
    if isinstance(named, list) and named and all(isinstance(name, str) for name in named):
        return
    if not isinstance(named, str):
        raise InputError(
            f"{path}: target_modules should be a pattern or names, not {shown(named)}; restore the file"
        )
    # What training writes repeats nothing but its beginning; other patterns may take for ever.
    if re.search(r"[*+{]|(?<!\()\?", named.removeprefix(".*")) or len(named) > _LONGEST:
        raise InputError(f"{path}: target_modules is not a pattern that training writes; restore the file")
    try:
        re.compile(named)
    except (re.error, RecursionError, OverflowError) as error:
        raise InputError(f"{path}: target_modules is no pattern ({error}); restore the file") from error
