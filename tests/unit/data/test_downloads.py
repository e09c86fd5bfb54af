"""Downloads of ir_datasets: resumed, checked, counted; the library is the real one, its files a local server's."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Served, served

from headrank.data.downloads import fetch_collection
from headrank.errors import InputError

pytestmark = pytest.mark.slow

ir_datasets = pytest.importorskip("ir_datasets")
FILES = {
    "/docs.tsv": b"".join(b"d%d\tpassage number %d\n" % (i, i) for i in range(50_000)),
    "/queries.tsv": b"q1\twhat\nq2\twhy\n",
    "/qrels.trec": b"q1 0 d1 3\nq1 0 d2 0\nq2 0 d3 3\n",
    "/run.trec": b"q1 Q0 d1 1 2.5 x\nq1 Q0 d2 2 1.5 x\nq2 Q0 d3 1 9 x\n",
}
COUNTS: dict[str, Any] = {
    "docs": {"count": 50_000},
    "queries": {"count": 2},
    "qrels": {"count": 3, "fields": {"relevance": {"counts_by_value": {"0": 1, "3": 2}}}},
    "scoreddocs": {"count": 3},
}
Catalogue = Callable[..., str]


@pytest.fixture
def server() -> Iterator[Served]:
    with served(FILES) as state:
        yield state


@pytest.fixture
def catalogue(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """Puts a data set of the server's files into the library's catalogue; returns its identifier."""
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IR_DATASETS_TMP", str(tmp_path / "tmp"))

    def add(counts: dict[str, Any] = COUNTS) -> str:
        from ir_datasets import formats, util

        name = f"headrank-test-{uuid.uuid4().hex}"

        def download(path: str) -> Any:
            right = hashlib.md5(FILES[path]).hexdigest()
            place = str(tmp_path / "home" / name / path.strip("/"))
            return util.Download([util.RequestsDownload(f"{server.url}{path}")], place, expected_md5=right)

        dataset = ir_datasets.datasets.base.Dataset(
            formats.TsvDocs(download("/docs.tsv"), namespace=name),
            formats.TsvQueries(download("/queries.tsv")),
            formats.TrecQrels(download("/qrels.trec"), {}),
            formats.TrecScoredDocs(download("/run.trec")),
        )
        monkeypatch.setattr(dataset, "metadata", lambda: counts, raising=False)
        ir_datasets.registry.register(name, dataset)
        return name

    return add


def test_everything_is_fetched_and_counted(catalogue: Catalogue, server: Served) -> None:
    name = catalogue()
    found = fetch_collection("mine", name, official=True)
    assert found == {
        "id": name,
        "corpus": name,
        "documents": 50_000,
        "queries": 2,
        "judgements": 3,
        "grades": {"0": 1, "3": 2},
        "candidates": 3,
    }
    server.requests.clear()
    fetch_collection("mine", name)
    assert not server.requests, "a file was downloaded twice"


def test_a_download_that_broke_off_is_resumed(catalogue: Catalogue, server: Served) -> None:
    server.cut["/docs.tsv"] = 300_000
    assert fetch_collection("mine", catalogue())["documents"] == 50_000
    asked = [span for _, path, span in server.requests if path == "/docs.tsv"]
    assert asked[0] is None
    assert int(str(asked[1]).removeprefix("bytes=").rstrip("-")) > 0


def test_a_wrong_checksum_stops_with_the_name(catalogue: Catalogue, server: Served) -> None:
    name = catalogue()
    server.files["/qrels.trec"] = b"q1 0 d1 2\n"
    with pytest.raises(InputError, match=f"{name}: ir_datasets could not read it .*md5"):
        fetch_collection("mine", name)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"docs": {"count": 50_001}}, "50000 documents, but its catalogue says 50001"),
        ({"queries": {"count": 3}}, "2 queries"),
        ({"qrels": {"count": 4}}, "3 judgements"),
        ({"qrels": {"fields": {"relevance": {"counts_by_value": {"3": 3}}}}}, "grades"),
    ],
)
def test_a_wrong_count_stops_with_the_remedy(
    catalogue: Catalogue, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=rf"collection mine: .*{told}.*remove its folder under .*home"):
        fetch_collection("mine", catalogue(COUNTS | changed))


def test_official_candidates_without_scores_are_refused(catalogue: Catalogue, server: Served) -> None:
    from headrank.data.collections import open_collection

    name = catalogue()
    collection = open_collection("mine", {"source": "ir_datasets", "id": name})
    assert collection.official() == {"q1": [("d1", 2.5), ("d2", 1.5)], "q2": [("d3", 9.0)]}
    folder = Path(ir_datasets.util.home_path()) / name
    (folder / "run.trec").write_text("q1 Q0 d1 0 0 x\nq1 Q0 d2 0 0 x\n")
    with pytest.raises(InputError, match=r"have no order \(query q1: all scores are equal"):
        collection.official()


def test_official_candidates_are_ordered_as_the_evaluation_orders_them(
    catalogue: Catalogue, server: Served
) -> None:
    """Scores that are equal in float32, in which trec_eval compares, are ordered by id."""
    from headrank.data.collections import open_collection

    name = catalogue()
    collection = open_collection("mine", {"source": "ir_datasets", "id": name})
    collection.official()
    folder = Path(ir_datasets.util.home_path()) / name
    (folder / "run.trec").write_text("q1 Q0 d1 0 16777217 x\nq1 Q0 d2 0 16777216 x\nq1 Q0 d3 0 3 x\n")
    assert [docid for docid, _ in collection.official()["q1"]] == ["d2", "d1", "d3"]
