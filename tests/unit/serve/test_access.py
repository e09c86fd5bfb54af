"""Tokens from the environment and from files, and the addresses that need one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headrank.errors import InputError, NotFoundError, UsageError

pytest.importorskip("starlette", reason="the extra serve is not installed")
from headrank.serve.access import VARIABLE, check_host, check_token, read_token
from headrank.serve.problems import Problem


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set first, so that the variable is restored although ``read_token`` takes it out.
    monkeypatch.setenv(VARIABLE, "x")
    monkeypatch.delenv(VARIABLE)


def test_a_token_is_taken_out_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read_token(None) is None
    monkeypatch.setenv(VARIABLE, "abc")
    assert read_token(None) == b"abc"
    assert VARIABLE not in os.environ
    monkeypatch.setenv(VARIABLE, "abc")
    (tmp_path / "token").write_text("def\n")
    assert read_token(str(tmp_path / "token")) == b"def"
    assert VARIABLE not in os.environ


@pytest.mark.parametrize("content", ["", "\n", "two words", "two\nlines", "naïve", "x" * 5000])
def test_a_token_that_no_header_holds_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(InputError, match=str(file)) as caught:
        read_token(str(file))
    assert content.strip() == "" or content.strip() not in str(caught.value)


def test_a_tokens_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"--token-file .*absent: No such file"):
        read_token(str(tmp_path / "absent"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_this_machine_needs_no_token(host: str) -> None:
    check_host(host, None, open_to_all=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.3", "example.org", "localhost.example.org", ""])
def test_other_machines_need_a_token(host: str) -> None:
    with pytest.raises(UsageError, match=f"--host {host}: other machines may reach it"):
        check_host(host, None, open_to_all=False)
    check_host(host, b"token", open_to_all=False)
    check_host(host, None, open_to_all=True)


@pytest.mark.parametrize(
    "header", [None, "", "token", "Bearer", "Bearer tok", "Bearer tokenn", "Basic token", "Bearer töken"]
)
def test_another_token_is_refused(header: str | None) -> None:
    with pytest.raises(Problem) as caught:
        check_token(header, b"token")
    assert caught.value.status == 401


def test_the_token_is_accepted() -> None:
    check_token("Bearer token", b"token")
    check_token("bearer  token ", b"token")
    check_token(None, None)
