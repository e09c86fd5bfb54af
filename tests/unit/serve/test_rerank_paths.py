"""The rerank paths over real sockets: the shapes of answers, and what is refused with which words."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from typing import Any

import pytest
from rerank_server import Running, serve

from headrank import Reranker

QUERY = "which trees are red"
TEXTS = ["a green field", "the red oak", "elms are yellow in autumn"]
ASKED: dict[str, Any] = {"query": QUERY, "documents": TEXTS}


def order(answer: Any) -> list[tuple[int, float]]:
    return [(one["index"], one["relevance_score"]) for one in answer["results"]]


def expected(reranker: Reranker, texts: list[Any], **options: Any) -> list[tuple[int, Any]]:
    ranking = reranker.rank(QUERY, texts, progress=False, **options)
    return [(document.index, pytest.approx(document.score, rel=1e-5)) for document in ranking]


@pytest.mark.parametrize(("path", "version"), [("/rerank", "1"), ("/v1/rerank", "1"), ("/v2/rerank", "2")])
def test_the_answer_is_the_libraries_ranking(
    running: Running, reranker: Reranker, path: str, version: str
) -> None:
    answer = running.ask(path, ASKED)
    assert answer.status == 200
    body = answer.json
    assert order(body) == expected(reranker, TEXTS)
    assert set(body) == {"id", "object", "model", "results", "usage", "meta"}
    assert (body["object"], body["model"]) == ("list", "icr")
    assert body["meta"] == {"api_version": {"version": version}}
    frame = reranker.ready.rank([next(reranker.passes(QUERY, TEXTS))])
    assert body["usage"] == dict.fromkeys(("prompt_tokens", "total_tokens"), frame["tokens"].iloc[0])
    assert answer.headers["x-request-id"] == body["id"]


def test_top_n_keeps_the_best(running: Running, reranker: Reranker) -> None:
    best = expected(reranker, TEXTS)
    assert order(running.ask("/v1/rerank", {**ASKED, "top_n": 2}).json) == best[:2]
    assert order(running.ask("/v1/rerank", {**ASKED, "top_n": 99}).json) == best
    assert order(running.ask("/v1/rerank", {**ASKED, "top_n": None}).json) == best


def test_documents_come_back_as_they_were_given(running: Running, reranker: Reranker) -> None:
    objects = ["plain", {"text": "red oak \ud800", "title": "trees", "page": [3]}, {"text": "日本"}]
    answer = running.ask("/v2/rerank", {"query": QUERY, "documents": objects, "return_documents": True})
    shown = {one["index"]: one["document"] for one in answer.json["results"]}
    assert shown == {0: {"text": "plain"}, 1: objects[1], 2: objects[2]}
    assert order(answer.json) == expected(reranker, objects)
    assert "document" not in running.ask("/v1/rerank", ASKED).json["results"][0]


def test_rank_fields_are_the_text(running: Running, reranker: Reranker) -> None:
    given = [{"head": "oaks", "body": "are red"}, {"head": "fields", "body": "are green"}]
    answer = running.ask("/v1/rerank", {"query": QUERY, "documents": given, "rank_fields": ["head", "body"]})
    assert order(answer.json) == expected(reranker, ["oaks\nare red", "fields\nare green"])


def test_each_request_is_cut_at_its_own_length(running: Running, reranker: Reranker) -> None:
    long = ["red oak trees " * 9, "green fields of grass " * 9]
    cut = Reranker("icr", reranker.ready.backbone.name, truncate_tokens=20)
    answer = running.ask("/v2/rerank", {"query": QUERY, "documents": long, "max_tokens_per_doc": 20})
    assert order(answer.json) == expected(cut, long) != expected(reranker, long)
    # It is an upper bound: more than the method reads changes nothing.
    answer = running.ask("/v2/rerank", {"query": QUERY, "documents": long, "max_tokens_per_doc": 4096})
    assert order(answer.json) == expected(reranker, long)


def test_a_list_longer_than_a_pass_is_ranked_in_windows(running: Running, reranker: Reranker) -> None:
    texts = [f"tree {i} is {'red' if i % 5 == 4 else 'green'}" for i in range(17)]
    answer = running.ask("/v2/rerank", {"query": QUERY, "documents": texts}).json
    assert order(answer) == expected(reranker, texts)
    assert sorted(index for index, _ in order(answer)) == list(range(17))


def test_text_embeddings_inference_gets_its_own_shape(running: Running, reranker: Reranker) -> None:
    answer = running.ask("/rerank", {"query": QUERY, "texts": TEXTS, "return_text": True, "truncate": True})
    best = expected(reranker, TEXTS)
    assert answer.json == [{"index": i, "score": score, "text": TEXTS[i]} for i, score in best]
    assert running.ask("/v1/rerank", {"query": QUERY, "texts": TEXTS}).status == 422


DEEP = b'{"query":"a","documents":' + b"[" * 5000 + b"]" * 5000 + b"}"
REFUSED: list[tuple[Any, int, str, str | None]] = [
    (b"{", 400, "the body is not readable as JSON", None),
    (b"\xff\xfe", 400, "not UTF-8", None),
    (b'{"query": NaN, "documents": ["a"]}', 400, "NaN is no number", None),
    (b'{"query": "a", "query": "b", "documents": ["a"]}', 400, "'query' is given twice", None),
    (b'{"query": "a", "documents": ["a"], "top_n": 1e999}', 400, "out of range", None),
    (DEEP, 400, "levels deep", None),
    (b"[]", 422, "expected a JSON object", None),
    ({"documents": TEXTS}, 422, "query: missing", "query"),
    ({"query": 7, "documents": TEXTS}, 422, "query: expected a text, got 7", "query"),
    ({"query": " \u200b", "documents": TEXTS}, 422, "query: has no text", "query"),
    ({"query": "x" * 201, "documents": TEXTS}, 422, "query: 201 characters, at most 200", "query"),
    ({"query": "a"}, 422, "documents: missing", "documents"),
    ({"query": "a", "documents": "abc"}, 422, "documents: expected a list", "documents"),
    ({"query": "a", "documents": []}, 422, "documents: the list is empty", "documents"),
    ({"query": "a", "documents": ["a"] * 31}, 422, "31 documents, at most 30", "documents"),
    ({"query": "a", "documents": ["a", 3]}, 422, "documents[1]: expected a text or", "documents[1]"),
    ({"query": "a", "documents": [{"body": "a"}]}, 422, "documents[0]: its text is missing", "documents[0]"),
    ({"query": "a", "documents": [{"text": None}]}, 422, "its text is None", "documents[0]"),
    ({"query": "a", "documents": [{"text": "b", "title": 1}]}, 422, "its title is 1", "documents[0]"),
    ({**ASKED, "top_n": 0}, 422, "top_n: expected a whole number from 1 on, got 0", "top_n"),
    ({**ASKED, "top_n": True}, 422, "top_n: expected a whole number", "top_n"),
    ({**ASKED, "top_n": 2.5}, 422, "top_n: expected a whole number", "top_n"),
    (
        {**ASKED, "return_documents": "yes"},
        422,
        "return_documents: expected true or false",
        "return_documents",
    ),
    ({**ASKED, "max_tokens_per_doc": -1}, 422, "max_tokens_per_doc", "max_tokens_per_doc"),
    ({**ASKED, "rank_fields": "text"}, 422, "rank_fields: expected a list", "rank_fields"),
    ({**ASKED, "truncation": False}, 422, "documents are always cut", "truncation"),
    ({**ASKED, "topn": 3}, 422, "topn: unknown field; did you mean 'top_n'?", "topn"),
    ({**ASKED, "model": "rerank-v3.5"}, 404, "model: 'rerank-v3.5' is not served; here: icr", "model"),
    ({**ASKED, "model": 1}, 422, "model: expected a text", "model"),
]


@pytest.mark.parametrize(("body", "status", "told", "key"), REFUSED)
def test_a_request_that_asks_nothing_readable_is_refused(
    running: Running, body: Any, status: int, told: str, key: str | None
) -> None:
    begun = time.monotonic()
    answer = running.ask("/v2/rerank", body)
    assert answer.status == status
    problem = answer.json
    assert told in problem["message"]
    assert problem["detail"] == problem["error"]["message"] == problem["message"]
    assert (problem["error"]["param"], problem["error"]["code"]) == (key, status)
    assert "\n" not in problem["message"]
    # The whole body was there: nothing is waited for.
    assert time.monotonic() - begun < 1.9


def test_a_prompt_that_the_model_has_no_positions_for_is_refused(reranker: Reranker) -> None:
    with serve(reranker, body_bytes=1 << 20) as server:
        answer = server.ask("/v1/rerank", {"query": QUERY, "documents": ["x" * 5000, "y" * 5000]})
    assert answer.status == 422
    # The request's own id is no part of the message, and its documents were cut to 2048 tokens each.
    assert re.match(r"a prompt of 4\d\d\d tokens does not fit the 4096 positions", answer.json["message"])


def test_other_kinds_of_content_are_refused(running: Running) -> None:
    body = json.dumps(ASKED).encode()
    for headers in ({"Content_Type": "text/plain"}, {"Content_Encoding": "gzip"}):
        assert running.ask("/v1/rerank", body, **headers).status == 415
    assert running.ask("/v1/rerank", body, Content_Type="application/json; charset=utf-8").status == 200


def test_a_body_that_is_too_large_is_refused_and_the_connection_goes_on(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    headers = {"Content-Type": "application/json"}
    # Chunks do not say how many will come; more than the socket's buffers hold.
    connection.request("POST", "/v1/rerank", iter([b" " * 10_000] * 900), headers, encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["error"]["type"]) == (413, "too_large")
    connection.request("POST", "/v1/rerank", json.dumps(ASKED), headers)
    assert connection.getresponse().status == 200
    connection.close()
    answer = running.ask("/v1/rerank", b" " * 3_000_000)
    assert answer.status == 413
    assert "more than 20000 bytes" in answer.json["message"]


def _raw(running: Running, *parts: bytes, wait: float = 0.0) -> bytes:
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(wait)
        received = b""
        while more := client.recv(65536):
            received += more
    return received


HEAD = b"POST /v1/rerank HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def test_a_client_that_waits_for_a_word_is_refused_before_it_sends(running: Running) -> None:
    begun = time.monotonic()
    received = _raw(running, HEAD + b"Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 413 ")
    assert time.monotonic() - begun < 1.9


def test_a_body_that_does_not_come_is_not_waited_for(running: Running) -> None:
    received = _raw(running, HEAD + b"Content-Length: 100\r\n\r\n{")
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive within 0.5 seconds" in received


def test_a_refused_body_is_read_to_its_end(reranker: Reranker) -> None:
    with serve(reranker, body_seconds=20.0) as server:
        # For longer than the sockets' buffers would hide, and in no hurry.
        head = HEAD + b"Connection: close\r\nContent-Length: 6000000\r\n\r\n"
        received = _raw(server, head, *[b" " * 1_000_000] * 6, wait=0.4)
    assert received.startswith(b"HTTP/1.1 413 ")


def test_a_caller_finds_the_request_in_the_log_and_no_text(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "headrank.serve")
    secret = {"query": "pomegranate", "documents": ["quince", {"text": "medlar"}]}
    assert running.ask("/v1/rerank", secret, X_Request_ID="job-7.b").headers["x-request-id"] == "job-7.b"
    assert "job-7.b /v1/rerank 200 documents=2 tokens=" in caplog.text
    bad = running.ask("/v1/rerank", {**secret, "quince": 1}, X_Request_ID="a b")
    assert bad.headers["x-request-id"] == bad.json["id"]
    assert " 422 " in caplog.text
    for word in ("pomegranate", "quince", "medlar"):
        assert word not in caplog.text


def test_other_paths_tell_of_the_server(running: Running) -> None:
    assert running.ask("/health").json == {"status": "ok"}
    assert running.ask("/ready").json == {"status": "ready"}
    assert [one["id"] for one in running.ask("/v1/models").json["data"]] == ["icr"]
    paths = running.ask("/openapi.json").json["paths"]
    assert {"/rerank", "/v1/rerank", "/v2/rerank", "/health", "/ready", "/metrics", "/v1/models"} == set(
        paths
    )
    assert running.ask("/elsewhere").status == 404
    assert running.ask("/v1/rerank").json["error"]["code"] == 405


def test_metrics_count_requests(reranker: Reranker) -> None:
    with serve(reranker) as server:
        server.ask("/v1/rerank", ASKED)
        server.ask("/v1/rerank", b"{")
        text = server.ask("/metrics").body.decode()
    for line in (
        'headrank_requests_total{path="/v1/rerank",status="200"} 1.0',
        'headrank_requests_total{path="/v1/rerank",status="400"} 1.0',
        "headrank_pass_seconds_count 1.0",
        "headrank_documents_total 3.0",
        "headrank_in_flight 0.0",
    ):
        assert line in text


def test_the_model_may_have_other_names(reranker: Reranker) -> None:
    with serve(reranker, names=["rerank-v3.5", "ours"]) as server:
        assert server.ask("/v1/rerank", ASKED).json["model"] == "rerank-v3.5"
        assert server.ask("/v1/rerank", {**ASKED, "model": "ours"}).json["model"] == "ours"
        assert server.ask("/v1/rerank", {**ASKED, "model": "icr"}).status == 404


def test_a_token_is_asked_for(reranker: Reranker) -> None:
    with serve(reranker, token=b"s3cret") as server:
        for path, body in (("/v1/rerank", ASKED), ("/metrics", None), ("/v1/models", None)):
            for wrong in ({}, {"Authorization": "Bearer s3cre"}, {"Authorization": "Basic s3cret"}):
                answer = server.ask(path, body, **wrong)
                assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
                assert b"s3cret" not in answer.body
            assert server.ask(path, body, Authorization="Bearer s3cret").status == 200
        assert server.ask("/health").status == server.ask("/ready").status == 200
