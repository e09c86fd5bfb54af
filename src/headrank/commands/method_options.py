"""The options that say which method ranks and how its prompt looks, and the request that they make."""

from __future__ import annotations

import argparse
from dataclasses import fields

from headrank.methods.request import Request


def add_method(parser: argparse.ArgumentParser) -> None:
    """The options that say which method ranks, and with what."""
    parser.add_argument("--method", help="default: headrank, or what the adapter was trained as")
    parser.add_argument(
        "--backbone", help="model: folder, GGUF file or hub id (default: the one that the adapter names)"
    )
    parser.add_argument("--revision", help="commit of a hub model")
    parser.add_argument("--adapter", help="folder that training wrote")
    parser.add_argument(
        "--heads", help="head set from `headrank heads detect`; for routehead, a router's file"
    )


def add_prompt(parser: argparse.ArgumentParser) -> None:
    """The options that say what a prompt looks like, but for the length of passages (``add_model``)."""
    parser.add_argument(
        "--order",
        choices=["best-first", "best-last", "shuffled"],
        help="order in the prompt (default: best-first, or as in training)",
    )
    parser.add_argument(
        "--family", help="chat frame: qwen3 (default), qwen2.5, llama3, mistral, granite, gemma or plain"
    )


def asked_for(options: argparse.Namespace) -> Request:
    """The request that the options make; InputError for options that do not go together, before anything is read."""
    keys = (field.name for field in fields(Request) if field.name != "spelt")
    request = Request(**{key: getattr(options, key) for key in keys}, spelt=spelt)
    request.check()
    return request


def spelt(name: str) -> str:
    """The option of this name, as a user writes it."""
    return f"--{name.replace('_', '-')}"
