"""What peft reads of an adapter's folder is checked before peft sees it: no pattern is run, no other method started."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from headrank.engine.lora_files import CONFIG, WEIGHTS, read_lora
from headrank.errors import InputError

PREFIX = "base_model.model.model.layers.0.self_attn.q_proj"
GIVEN: dict[str, Any] = {
    "peft_type": "LORA",
    "r": 2,
    "lora_alpha": 8,
    "bias": "none",
    "target_modules": r".*\.(?:layers\.0\.self_attn\.[qk]_proj)",
}


def folder(path: Path, given: Any) -> Path:
    tensors = {
        f"{PREFIX}.lora_A.weight": np.ones((2, 6), np.float32),
        f"{PREFIX}.lora_B.weight": np.ones((4, 2), np.float32),
    }
    save_file(tensors, path / WEIGHTS)
    (path / CONFIG).write_text(given if isinstance(given, str) else json.dumps(given), encoding="utf-8")
    return path


def test_projections_are_those_that_have_weights(tmp_path: Path) -> None:
    lora = read_lora(folder(tmp_path, GIVEN))
    assert (lora.rank, lora.alpha, lora.modules) == (2, 8, ("model.layers.0.self_attn.q_proj",))
    assert read_lora(folder(tmp_path, {**GIVEN, "target_modules": ["q_proj"]})) == lora


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("{}", "peft_type is None"),
        ("[]", "not a JSON object"),
        ("", "no readable adapter configuration"),
        ("[" * 100_000, "no readable adapter configuration"),
        ({**GIVEN, "peft_type": "NEW"}, "peft_type is 'NEW', and only 'LORA' is trained"),
        ({**GIVEN, "peft_type": ["LORA"]}, "peft_type is ['LORA']"),
        ({**GIVEN, "r": "a"}, "r should be a whole number from 1, not 'a'"),
        ({**GIVEN, "r": True}, "r should be a whole number from 1, not True"),
        ({**GIVEN, "r": 0}, "r should be a whole number from 1, not 0"),
        ({**GIVEN, "r": 3}, f"{WEIGHTS}: '{PREFIX}.lora_A.weight' has shape (2, 6), but r is 3 in {CONFIG}"),
        ({**GIVEN, "lora_alpha": None}, "lora_alpha should be a positive number, not None"),
        (json.dumps(GIVEN).replace("8", "NaN"), "no readable adapter configuration (NaN is no number)"),
        (json.dumps(GIVEN).replace("8", "1e999"), "the number '1e999' is out of range"),
        ({**GIVEN, "lora_alpha": 10**400}, "is out of range)"),
        ({**GIVEN, "target_modules": "["}, "target_modules is no pattern"),
        ({**GIVEN, "target_modules": None}, "target_modules should be a pattern or names, not None"),
        ({**GIVEN, "target_modules": [1]}, "target_modules should be a pattern or names, not [1]"),
        # Each of these would take longer than anyone waits.
        ({**GIVEN, "target_modules": "(.*)*(.*)*(.*)*x$"}, "not a pattern that training writes"),
        ({**GIVEN, "target_modules": "(a?){99}a{99}"}, "not a pattern that training writes"),
        ({**GIVEN, "target_modules": ".*(?:.+)+x"}, "not a pattern that training writes"),
        # The same weights would be another adapter.
        ({**GIVEN, "use_rslora": True}, "use_rslora is True, which training does not write"),
        ({**GIVEN, "use_dora": True}, "use_dora is True"),
        ({**GIVEN, "alpha_pattern": {"q_proj": 800}}, "alpha_pattern is {'q_proj': 800}"),
        ({**GIVEN, "fan_in_fan_out": "x"}, "fan_in_fan_out is 'x'"),
        ({**GIVEN, "bias": "all"}, "bias is 'all'"),
    ],
)
def test_what_training_does_not_write_is_refused_in_one_line(
    given: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        read_lora(folder(tmp_path, given))
    assert str(caught.value).startswith(str(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_without_lora_are_refused(tmp_path: Path) -> None:
    folder(tmp_path, GIVEN)
    save_file({"other": np.ones((2, 2), np.float32)}, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match=f"{WEIGHTS}: holds no weights of LoRA"):
        read_lora(tmp_path)
