"""Dequantises a GGUF file into a checkpoint folder of safetensors, which all other code loads like any other."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrank.data.atomic import open_up, whole_folder, write_json
from headrank.data.digests import file_digest
from headrank.engine.gguf.config import answer_ends, known_keys, settle_config
from headrank.engine.gguf.header import Header, read_header
from headrank.engine.gguf.origin import ORIGIN
from headrank.engine.gguf.slim import write_slim
from headrank.engine.gguf.tokenizer import read_tokenizer
from headrank.errors import InputError, PrerequisiteError

# Increased when the same file would give a different folder.
FORMAT = 1


def check_digest(path: Path, sha256: str | None) -> str:
    """The file's SHA-256; InputError if it is not the expected one."""
    found = file_digest(path)
    if sha256 and found != sha256:
        raise InputError(f"{path}: its SHA-256 is {found} and should be {sha256}; fetch the file again")
    return found


def unpack_gguf(
    path: str | Path, directory: str | Path, sha256: str | None = None, told: Mapping[str, str] | None = None
) -> None:
    """Write a GGUF file's model into a folder: configuration, weights, tokenizer and where it is from (``ORIGIN``).

    Weights are bfloat16, except for a file that holds all its matrices in float32, which stays as it is. The values of
    a quantised weight need up to 21 bits; rounding them to 8 bits changes them by 2 ** -9 at most, an order of
    magnitude less than quantising to 4 or 5 bits does, and passes compute in bfloat16 anyway (docs/scale.md has both
    effects). float16 is finer at the same size, but its range is too small for these models' hidden states.

    sha256: the digest that the file must have. told: what else to record, such as hub id and revision. Raises
    InputError for a wrong digest, a file that is cut off, a model or a tokenizer that cannot be read; then the
    folder is as before.
    """
    file = Path(path)
    _need_package()
    header = read_header(file)
    known_keys(header)
    types = _types(header)
    digest = check_digest(file, sha256)
    tokenizer = read_tokenizer(header)
    with whole_folder(directory) as target:
        model = _read_model(header, target, _float_type(header))
        model.generation_config.eos_token_id = answer_ends(header, tokenizer)
        with _quiet():
            model.save_pretrained(target)
            tokenizer.save_pretrained(target)
        for saved in target.iterdir():
            open_up(saved)
        _check_reloaded(header, target, tokenizer)
        described = {
            "file": file.name,
            **(told or {}),
            "sha256": digest,
            "architecture": header.architecture,
            "quantisation": dict(sorted(types.items())),
            "dtype": str(model.dtype).removeprefix("torch."),
            "format": FORMAT,
            "packages": {name: importlib.metadata.version(name) for name in ("gguf", "transformers")},
        }
        write_json(target / ORIGIN, described)


def _need_package() -> None:
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise PrerequisiteError(
            "GGUF files are read with the package gguf, which is missing: pip install gguf"
        ) from error


def _types(header: Header) -> Counter[str]:
    """How many tensors there are of each of ggml's types; InputError if the file ends before the last tensor."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    size = header.path.stat().st_size
    found: Counter[str] = Counter()
    for tensor in header.tensors:
        try:
            kind = GGMLQuantizationType(tensor.type)
            values, width = GGML_QUANT_SIZES[kind]
        except (ValueError, KeyError) as error:
            unknown = f"{tensor.name} is of type {tensor.type}, which gguf does not know"
            raise InputError(f"{header.path}: {unknown}") from error
        end = header.data + tensor.offset + math.prod(tensor.shape) // values * width
        if end > size:
            raise InputError(
                f"{header.path}: cut off: {tensor.name} should end at byte {end}, and the file has {size}"
            )
        found[kind.name] += 1
    return found


def _float_type(header: Header) -> Any:
    import torch
    from gguf import GGMLQuantizationType

    matrices = {tensor.type for tensor in header.tensors if len(tensor.shape) > 1}
    return torch.float32 if matrices == {int(GGMLQuantizationType.F32)} else torch.bfloat16


def _read_model(header: Header, target: Path, dtype: Any) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils.quantization_config import GgufConfig

    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        write_slim(header, Path(folder) / "slim.gguf")
        named: dict[str, Any] = {"gguf_file": "slim.gguf", "local_files_only": True}
        model: Any
        info: dict[str, Any]
        try:
            with _quiet():
                config = AutoConfig.from_pretrained(folder, **named)
                settle_config(header, config)
                model, info = AutoModelForCausalLM.from_pretrained(  # type: ignore[misc]
                    folder,
                    config=config,
                    dtype=dtype,
                    quantization_config=GgufConfig(dequantize=True),
                    output_loading_info=True,
                    **named,
                )
        except InputError:
            raise
        # The file's numbers reach transformers and gguf unchecked, and what these raise depends on the number.
        except Exception as error:
            raise InputError(f"{header.path}: transformers cannot read it ({_first_line(error)})") from error
    _check_weights(header, model, info)
    return model


def _check_weights(header: Header, model: Any, info: Mapping[str, Any]) -> None:
    """Every weight of the model must be from the file, and every value of the file must be in the model."""
    missing = sorted({*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])})
    if missing:
        raise InputError(
            f"{header.path}: lacks {len(missing)} weights of {header.architecture}, such as {missing[0]}"
        )
    held = sum(math.prod(tensor.shape) for tensor in header.tensors)
    taken = sum(parameter.numel() for parameter in model.parameters())
    if held != taken:
        odd = [t.name for t in header.tensors if not t.name.startswith(("blk.", "token_embd.", "output"))]
        like = f", such as {odd[0]}" if odd else ""
        raise InputError(
            f"{header.path}: transformers takes {taken} of {held} values, and leaves tensors out{like}"
        )


def _check_reloaded(header: Header, folder: Path, tokenizer: Any) -> None:
    """transformers rebuilds some tokenizers when it loads them; the saved one must come back unchanged."""
    from transformers import AutoTokenizer

    again = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    if again.backend_tokenizer.to_str() != tokenizer.backend_tokenizer.to_str():
        raise InputError(
            f"{header.path}: transformers loads its tokenizer as a different one ({type(again).__name__})"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """The conversion's progress bars write to standard error whatever transformers' settings are."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200] or type(error).__name__
