"""Clients that people use, against a running server: each gets the ranking that a plain request gets.

Runs in an environment of its own (real_clients.txt), with HEADRANK_URL and HEADRANK_SERVE_TOKEN set. Prints a line per
client, and exits with 1 if one failed.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

URL = os.environ["HEADRANK_URL"]
TOKEN = os.environ["HEADRANK_SERVE_TOKEN"]
MODEL = "qrhead"
QUERY = "which trees are red"
TEXTS = [
    f"passage {i} about {word}"
    for i, word in enumerate(["trees", "red", "oaks", "green", "fields", "and", "which"])
]
TOP = 3
Found = list[tuple[int, float]]
CALLS = 40


def plain() -> Found:
    body = json.dumps({"model": MODEL, "query": QUERY, "documents": TEXTS}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    with urllib.request.urlopen(urllib.request.Request(f"{URL}/v1/rerank", body, headers)) as answer:
        return [(one["index"], one["relevance_score"]) for one in json.load(answer)["results"]]


def cohere_v1() -> Found:
    import cohere

    answer = cohere.Client(TOKEN, base_url=URL).rerank(
        model=MODEL, query=QUERY, documents=TEXTS, top_n=TOP, return_documents=True
    )
    assert [one.document.text for one in answer.results] == [TEXTS[one.index] for one in answer.results]
    return [(one.index, one.relevance_score) for one in answer.results]


def cohere_v2() -> Found:
    import cohere

    client = cohere.ClientV2(TOKEN, base_url=URL)
    answer = client.rerank(model=MODEL, query=QUERY, documents=TEXTS, top_n=TOP, max_tokens_per_doc=4096)
    return [(one.index, one.relevance_score) for one in answer.results]


def cohere_tells_of_errors() -> Found:
    import cohere

    try:
        cohere.ClientV2(TOKEN, base_url=URL).rerank(model=MODEL, query=" ", documents=TEXTS)
    except cohere.core.ApiError as error:
        told = [(error.status_code, error.body["message"])]
    try:
        cohere.ClientV2("wrong", base_url=URL).rerank(model=MODEL, query=QUERY, documents=TEXTS)
    except cohere.core.ApiError as error:
        told.append((error.status_code, error.body["error"]["param"]))
    assert told == [(422, "query: has no text"), (401, "Authorization")]
    return cohere_v2()


def openai() -> Found:
    from openai import NotFoundError, OpenAI

    client = OpenAI(api_key=TOKEN, base_url=f"{URL}/v1")
    assert [model.id for model in client.models.list()] == [MODEL]
    try:
        client.post("/rerank", body={"model": "other", "query": QUERY, "documents": TEXTS}, cast_to=object)
    except NotFoundError as error:
        told = error.param
    assert told == "model"
    body = {"model": MODEL, "query": QUERY, "documents": TEXTS, "top_n": TOP}
    answer = client.post("/rerank", body=body, cast_to=object)
    return [(one["index"], one["relevance_score"]) for one in answer["results"]]


def langchain_cohere() -> Found:
    from langchain_cohere import CohereRerank
    from langchain_core.documents import Document

    reranker = CohereRerank(cohere_api_key=TOKEN, base_url=URL, model=MODEL, top_n=TOP)
    documents = [Document(text, metadata={"place": i}) for i, text in enumerate(TEXTS)]
    kept = reranker.compress_documents(documents, QUERY)
    return [(one.metadata["place"], one.metadata["relevance_score"]) for one in kept]


def _llama_index(reranker: object) -> Found:
    from llama_index.core.schema import NodeWithScore, TextNode

    nodes = [NodeWithScore(node=TextNode(text=text, id_=str(i)), score=0.0) for i, text in enumerate(TEXTS)]
    return [(int(one.node.node_id), one.score) for one in reranker.postprocess_nodes(nodes, query_str=QUERY)]


def llama_index_cohere() -> Found:
    from llama_index.postprocessor.cohere_rerank import CohereRerank

    return _llama_index(CohereRerank(api_key=TOKEN, base_url=URL, model=MODEL, top_n=TOP))


def llama_index_jina() -> Found:
    from llama_index.postprocessor.jinaai_rerank import JinaRerank

    return _llama_index(JinaRerank(api_key=TOKEN, base_url=f"{URL}/v1", model=MODEL, top_n=TOP))


def llama_index_tei() -> Found:
    from llama_index.postprocessor.tei_rerank import TextEmbeddingInference

    return _llama_index(TextEmbeddingInference(auth_token=f"Bearer {TOKEN}", base_url=URL, top_n=TOP))


CLIENTS: list[Callable[[], Found]] = [
    *(cohere_v1, cohere_v2, cohere_tells_of_errors, openai, langchain_cohere),
    *(llama_index_cohere, llama_index_jina, llama_index_tei),
]


def alike(found: Found, best: Found) -> bool:
    """The same places, and scores up to what a pass with other requests in it rounds differently."""
    return [i for i, _ in found] == [i for i, _ in best] and all(
        abs(a - b) <= 1e-4 * max(1, abs(b)) for (_, a), (_, b) in zip(found, best, strict=True)
    )


def main() -> int:
    best = plain()
    failed = 0
    for client in CLIENTS:
        try:
            right = alike(client(), best[:TOP])
            # And at once, as an application does.
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(lambda _, ask=client: ask(), range(CALLS)))
            right = right and all(alike(one, best[:TOP]) for one in found)
            told = f"{CALLS} rankings" if right else "another ranking"
        except Exception as error:
            right, told = False, f"{type(error).__name__}: {error}"
        failed += not right
        print(f"{'ok    ' if right else 'FAILED'} {client.__name__}: {told}", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
