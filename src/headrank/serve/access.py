"""Who may ask: a bearer token, and the addresses that are served without one."""

from __future__ import annotations

import hmac
import ipaddress
import os
from pathlib import Path

from headrank.data.files import read_whole
from headrank.errors import InputError, UsageError, unreadable
from headrank.serve.problems import Problem

VARIABLE = "HEADRANK_SERVE_TOKEN"
_MOST_BYTES = 4096


def read_token(path: str | None) -> bytes | None:
    """The token of a file, or of the environment, from which it is taken out; None if there is none.

    Raises InputError for a token that a header cannot hold, and NotFoundError for a file that cannot be read.
    """
    variable = os.environ.pop(VARIABLE, None)
    if path is None:
        return None if variable is None else _checked(variable, VARIABLE)
    try:
        content = read_whole(Path(path), _MOST_BYTES).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not ASCII text"
        raise unreadable(error)(f"--token-file {path}: {reason}") from None
    return _checked(content.strip(), f"--token-file {path}")


def _checked(token: str, where: str) -> bytes:
    # The token itself is in no message.
    if not token or not all("!" <= character <= "~" for character in token):
        raise InputError(
            f"{where}: expected a token of visible ASCII characters, on one line and without blanks"
        )
    return token.encode("ascii")


def check_host(host: str, token: bytes | None, open_to_all: bool) -> None:
    """Raise UsageError for an address that other machines reach, without a token and without being told so."""
    if token is None and not open_to_all and not _local(host):
        raise UsageError(
            f"--host {host}: other machines may reach it; set {VARIABLE} or --token-file, or say --without-token"
        )


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_token(header: str | None, token: bytes | None) -> None:
    """Raise Problem 401 unless an Authorization header has the token; compared in a time that does not tell how far."""
    if token is None:
        return
    scheme, _, given = (header or "").partition(" ")
    right = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token)
    if scheme.lower() != "bearer" or not right:
        raise Problem(
            401,
            "Authorization: expected Bearer and the server's token",
            "Authorization",
            {"WWW-Authenticate": "Bearer"},
        )
