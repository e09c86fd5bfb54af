"""Under which name and licence a base model is published: what its file says, and names that cannot be exported."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants as client
import pytest
from exports import HEADS
from ggufs import float_checkpoint, write_gguf

from headrank.data.digests import file_digest
from headrank.engine.gguf.origin import ORIGIN
from headrank.errors import InputError
from headrank.export.public_name import base_licence, public_base
from headrank.settings import Settings
from headrank.training.exported import PublicBase
from headrank.training.saved_adapter import SavedAdapter

SAVED = SavedAdapter(Path("adapter"), HEADS.identity, HEADS, Settings(), "headrank", None)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEADRANK_MODELS", str(tmp_path))
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    source = float_checkpoint(tmp_path / "float", "qwen3")
    return write_gguf(source, tmp_path / "tiny.gguf", "qwen3", **{"general.license": "Apache-2.0"})


def test_a_gguf_file_states_its_licence_also_where_a_study_unpacked_it(file: Path) -> None:
    base = PublicBase(file=file.name, sha256=file_digest(file))
    assert base_licence(str(file), base) == "apache-2.0"
    assert base_licence("results/demo/backbones/tiny", base) == "apache-2.0"
    # Another file of this name says nothing about the base.
    assert base_licence("results/demo/backbones/tiny", PublicBase(file=file.name, sha256="0" * 64)) is None


def test_without_a_network_a_model_of_the_hub_states_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    assert base_licence("maker/tiny", PublicBase("maker/tiny", "0" * 40)) is None


def test_a_file_whose_name_could_not_be_read_back_is_refused(tmp_path: Path) -> None:
    (tmp_path / ORIGIN).write_text(f'{{"file": "my model.gguf", "sha256": "{"0" * 64}"}}')
    with pytest.raises(InputError, match=r"cannot be named in an export \(file: 'my model\.gguf' is none\)"):
        public_base(SAVED, str(tmp_path), None, None, {})


def test_a_study_s_record_names_the_model_and_the_user_has_the_last_word(tmp_path: Path) -> None:
    spec = {"id": "maker/tiny", "revision": "1" * 40}
    assert public_base(SAVED, str(tmp_path), None, None, spec) == PublicBase("maker/tiny", "1" * 40)
    named = public_base(SAVED, str(tmp_path), None, f"other/copy@{'2' * 40}", spec)
    assert named == PublicBase("other/copy", "2" * 40)
