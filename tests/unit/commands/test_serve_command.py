"""``headrank serve`` as a program: what it refuses before it loads a model, and one life from start to signal."""

from __future__ import annotations

import builtins
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rerank_server import ask
from support import checkpoint

from headrank.cli import main, parser
from headrank.commands.serve import limits_of
from headrank.serve.limits import Limits

MODEL = ["serve", "--method", "icr", "--backbone", "nowhere"]


def test_without_options_the_limits_are_the_usual_ones() -> None:
    assert limits_of(parser().parse_args(MODEL)) == Limits()
    given = [
        "--in-flight",
        "3",
        "--max-body",
        "0.5",
        "--max-documents",
        "9",
        "--max-query",
        "80",
        "--timeout",
        "2",
    ]
    more = [
        "--max-tokens-per-doc",
        "70",
        "--grace",
        "0",
        "--tokens-per-pass",
        "11",
        "--prompts-per-pass",
        "1",
    ]
    assert limits_of(parser().parse_args([*MODEL, *given, *more])) == Limits(
        in_flight=3,
        body_bytes=1 << 19,
        documents=9,
        query_characters=80,
        tokens_per_document=70,
        answer_seconds=2.0,
        stop_seconds=0.0,
        tokens_per_pass=11,
        prompts_per_pass=1,
    )


def test_other_machines_are_not_served_without_a_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEADRANK_SERVE_TOKEN", raising=False)
    assert main([*MODEL, "--host", "0.0.0.0"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: --host 0.0.0.0: other machines may reach it; set HEADRANK_"
    )


def test_a_port_that_is_taken_is_told_before_the_model_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main([*MODEL, "--port", str(port)]) == 6
    assert capsys.readouterr().err == f"error: --port {port}: Address already in use on 127.0.0.1\n"


def test_a_missing_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in ("fastapi", "uvicorn", "starlette", "prometheus_client"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return load(name, *rest)

    for name in [name for name in sys.modules if name.startswith("headrank.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    assert main(MODEL) == 3
    told = capsys.readouterr().err
    assert re.fullmatch(r"error: serve: [\w.]+ is not installed; pip install 'headrank\[serve\]'\n", told)


def test_options_of_the_model_are_checked_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--method", "qrhead", "--backbone", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("error: --method qrhead: needs --heads")


def test_it_serves_until_a_signal_says_to_stop(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "headrank.cli", "serve", "--method", "icr", "--port", "0"]
    environment = {**os.environ, "HEADRANK_SERVE_TOKEN": "t0ken"}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--backbone", str(checkpoint("qwen3"))], stderr=stream, env=environment
        )
    try:
        end = time.monotonic() + 300
        while not (found := re.search(r"serving icr on 127\.0\.0\.1:(\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
        port = int(found[1])
        body = {"query": "red", "documents": ["a", "b"]}
        assert ask(port, "/v1/rerank", body).status == 401
        answer = ask(port, "/v1/rerank", body, Authorization="Bearer t0ken")
        assert len(answer.json["results"]) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert "t0ken" not in log.read_text()
    assert "every accepted request was answered" in log.read_text()
