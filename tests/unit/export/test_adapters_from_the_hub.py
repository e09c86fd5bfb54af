"""Exported adapters by their ids on the hub: which files come, from which commit, and what is refused.

The hub is a local server with the hub's own paths, headers and digests; the client is the real one.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants as client
import pytest
from exports import BASE, COMMIT, exported, trained
from ggufs import float_checkpoint, write_gguf
from servers import REVISION, Served, publish, served
from support import checkpoint, passages, tiny_config, write_checkpoint

from headrank import Reranker
from headrank.cli import main
from headrank.data.trec import read_run
from headrank.engine.hub import cached_snapshot
from headrank.errors import InputError, NotFoundError, UsageError
from headrank.export.public_name import base_licence
from headrank.heads.head_set import HeadSet
from headrank.training.adapter_places import FILES, adapter_folder
from headrank.training.exported import PublicBase
from headrank.training.saved_adapter import read_adapter

pytestmark = pytest.mark.slow

NAME = "org/reranker"
TEXTS = [document.text for document in passages(4)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An adapter as training wrote it, and its export with files beside it that nobody asked for."""
    place = tmp_path_factory.mktemp("adapter")
    adapter = trained(place / "trained")
    made = exported(adapter, place / "out")
    (made / "adapter_model.bin").write_bytes(b"pickle")
    (made / "modeling.py").write_text("raise SystemExit")
    return adapter, made


@pytest.fixture
def hub(folders: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with served({}) as state:
        put(state, NAME, folders[1])
        publish(state, BASE, checkpoint("qwen3"), COMMIT)
        address(monkeypatch, state.url)
        monkeypatch.setattr(client, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(client, "HF_HUB_OFFLINE", False)
        monkeypatch.chdir(tmp_path)
        yield state


def address(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """What HF_ENDPOINT does to a client that is not loaded yet."""
    monkeypatch.setattr(client, "ENDPOINT", url)
    monkeypatch.setattr(
        client, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )


def put(state: Served, name: str, folder: Path) -> None:
    """Publish a folder, whose latest commit is the one that there is."""
    publish(state, name, folder)
    api = f"/api/models/{name}"
    for path in (api, f"{api}/revision/main"):
        state.files[path] = state.files[f"{api}/revision/{REVISION}"]


def fetched(state: Served) -> set[str]:
    return {
        path.rpartition("/")[2]
        for method, path, _ in state.requests
        if "/resolve/" in path and method == "GET"
    }


def refused(kind: type[InputError], given: str) -> str:
    with pytest.raises(InputError) as caught:
        adapter_folder(given)
    assert type(caught.value) is kind, caught.value
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_ranks_as_the_folder_does_and_the_log_says_which_commit(
    hub: Served, folders: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    right = [d.score for d in Reranker.load(folders[0]).rank("red oak", TEXTS)]
    with caplog.at_level(logging.WARNING):
        reranker = Reranker.load(NAME, check=True)
    assert [d.score for d in reranker.rank("red oak", TEXTS)] == right
    assert reranker.ready.backbone.revision == COMMIT
    assert f"{NAME}: using commit {REVISION}; name {NAME}@{REVISION} to get the same again" in caplog.text
    assert fetched(hub) == {*FILES, *(path.name for path in checkpoint("qwen3").iterdir())}


def test_only_the_expected_files_come_and_once(hub: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        folder = Path(adapter_folder(f"{NAME}@{REVISION}"))
    assert {path.name for path in folder.iterdir()} == set(FILES) == fetched(hub)
    assert not caplog.text
    hub.requests.clear()
    # A commit does not change: the hub is not even asked.
    assert adapter_folder(f"{NAME}@{REVISION}") == str(folder)
    assert not hub.requests


def test_a_gguf_base_comes_from_its_repository(
    hub: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRANK_CACHE", str(tmp_path / "unpacked"))
    monkeypatch.setenv("HEADRANK_MODELS", str(tmp_path / "models"))
    (tmp_path / "files").mkdir()
    file = write_gguf(
        float_checkpoint(tmp_path / "float", "qwen3"), tmp_path / "files" / "tiny.gguf", "qwen3"
    )
    heads = HeadSet("headrank", "tiny", 3, 4, ((1, 1), (0, 2)), (1.0, 0.5))
    adapter = trained(tmp_path / "trained", file, heads)
    right = [d.score for d in Reranker.load(adapter).rank("red oak", TEXTS)]
    put(hub, "org/gguf", exported(adapter, tmp_path / "out", base=f"maker/tiny-gguf@{COMMIT}"))
    publish(hub, "maker/tiny-gguf", file.parent, COMMIT)
    file.unlink()
    assert [d.score for d in Reranker.load("org/gguf", check=True).rank("red oak", TEXTS)] == right
    assert "tiny.gguf" in fetched(hub)
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    Reranker.load("org/gguf", check=True)


def test_a_base_of_the_hub_is_named_and_compared(
    hub: Served, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    cached_snapshot(BASE, COMMIT)
    made = exported(folders[0], tmp_path / "out", base=None, backbone=BASE, revision=COMMIT)
    told = read_adapter(made).exported
    assert told is not None
    assert told.base == PublicBase(BASE, COMMIT)
    # Another model under the name that the user gives.
    twin = write_checkpoint(tmp_path / "twin", tiny_config("qwen3"), seed=5)
    publish(hub, "maker/twin", twin, COMMIT)
    cached_snapshot("maker/twin", COMMIT)
    with pytest.raises(
        InputError, match=f"was not trained on maker/twin at {COMMIT}; its weights are others"
    ):
        exported(folders[0], tmp_path / "other", base=f"maker/twin@{COMMIT}")


def test_the_licence_of_a_base_is_what_its_card_on_the_hub_says(hub: Served) -> None:
    path = f"/api/models/{BASE}/revision/{COMMIT}"
    base = PublicBase(BASE, COMMIT)
    assert base_licence(BASE, base) is None
    hub.files[path] = json.dumps({**json.loads(hub.files[path]), "cardData": {"license": "mit"}}).encode()
    assert base_licence(BASE, base) == "mit"


def test_the_command_takes_an_id_too(hub: Served, tmp_path: Path) -> None:
    documents = [json.dumps({"_id": d.docid, "text": d.text}) for d in passages(4)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(documents), encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "red oak"}', encoding="utf-8")
    run = "".join(f"q Q0 d{i} {i + 1} {9 - i} bm25\n" for i in range(4))
    (tmp_path / "run.trec").write_text(run, encoding="utf-8")
    given = ("--collection", str(tmp_path), "--run", "run.trec", "--output", "out.trec", "--device", "cpu")
    assert main(["rerank", "--adapter", f"{NAME}@{REVISION}", *given]) == 0
    (ranked,) = read_run(tmp_path / "out.trec").values()
    right = Reranker.load(f"{NAME}@{REVISION}").rank("red oak", TEXTS)
    assert [docid for docid, _ in ranked] == [f"d{d.index}" for d in right]


def test_a_folder_comes_before_the_hub(hub: Served, folders: tuple[Path, Path]) -> None:
    shutil.copytree(folders[1], Path(NAME))
    assert adapter_folder(NAME) == NAME
    assert adapter_folder(folders[0]) == str(folders[0])
    assert not hub.requests


def test_without_a_network_the_cache_is_used_and_nothing_else(
    hub: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    told = refused(NotFoundError, f"{NAME}@{REVISION}")
    assert told.startswith(
        f"{NAME} at {REVISION}: no such folder, it is not in the hub's cache, and the hub cannot be reached"
    )
    assert not hub.requests
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", False)
    folder = adapter_folder(NAME)
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", True)
    assert adapter_folder(f"{NAME}@{REVISION}") == adapter_folder(NAME) == folder
    monkeypatch.setattr(client, "HF_HUB_OFFLINE", False)
    # Nobody listens there.
    address(monkeypatch, "http://127.0.0.1:9")
    assert adapter_folder(NAME) == folder
    assert refused(NotFoundError, "org/other").startswith(
        "org/other: no such folder, it is not in the hub's cache"
    )


def test_a_repository_or_commit_that_is_not_there_is_one_line(hub: Served) -> None:
    assert refused(NotFoundError, "org/other").startswith(
        "org/other: no such folder, and the hub gives none ("
    )
    # A cached adapter is not taken for a commit that the hub does not have.
    adapter_folder(NAME)
    told = refused(NotFoundError, f"{NAME}@{'f' * 40}")
    assert told.startswith(f"{NAME} at {'f' * 40}: no such folder, and the hub gives none (")
    hub.files[f"/api/models/{NAME}/revision/{'f' * 40}"] = hub.files[f"/api/models/{NAME}"]
    assert f"the hub has it as {REVISION}" in refused(UsageError, f"{NAME}@{'f' * 40}")


def test_an_unencrypted_hub_is_refused(hub: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    address(monkeypatch, "http://hub.invalid")
    told = refused(UsageError, NAME)
    assert told == "HF_ENDPOINT: http://hub.invalid is not encrypted; give an https address"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"heads.json": None}, "has no heads.json, so it is no adapter that `headrank export` wrote"),
        ({"golden_scores.json": None}, "has no golden_scores.json, so it is no adapter"),
        ({"adapter_model.safetensors": 5 << 30}, "has 5368709120 bytes, and at most 4096 MiB are expected"),
        ({"adapter_config.json": 2 << 20}, "has 2097152 bytes, and at most 1 MiB are expected"),
    ],
)
def test_what_is_missing_or_too_large_is_refused_before_anything_comes(
    hub: Served, changes: dict[str, int | None], told: str
) -> None:
    info = json.loads(hub.files[f"/api/models/{NAME}"])
    for name, size in changes.items():
        found = next(s for s in info["siblings"] if s["rfilename"] == name)
        if size is None:
            info["siblings"].remove(found)
        else:
            found["size"] = size
    hub.files[f"/api/models/{NAME}"] = json.dumps(info).encode()
    assert told in refused(InputError, NAME)
    assert not fetched(hub)


def test_a_wrong_byte_is_named_and_fetched_again(hub: Served) -> None:
    path = f"/{NAME}/resolve/{REVISION}/heads.json"
    right = hub.files[path]
    hub.files[path] = right[:-2] + b" }"
    assert "heads.json has a wrong checksum and was removed" in refused(NotFoundError, f"{NAME}@{REVISION}")
    hub.files[path] = right
    assert (Path(adapter_folder(f"{NAME}@{REVISION}")) / "heads.json").read_bytes() == right


def test_only_an_export_with_a_public_base_is_loaded(
    hub: Served, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    # Otherwise a repository could name any folder of this machine as its base.
    plain = Path(shutil.copytree(folders[0], tmp_path / "plain"))
    shutil.copy(folders[1] / "golden_scores.json", plain)
    put(hub, "org/plain", plain)
    told = refused(InputError, "org/plain")
    assert told.startswith(
        "org/plain: does not say where its base model can be had; only what `headrank export` wrote"
    )
