"""A model's own chat template may fail, may never end, and may leave out what it is given: each is one line."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from typing import Any

import pytest
from support import byte_tokenizer

from headrank.errors import InputError
from headrank.generative import template
from headrank.generative.chat import Chat, mark
from headrank.generative.generate import _answered
from headrank.generative.parse import read_order

GOOD = "{% for m in messages %}<|im_start|>{{ m.role }} {{ m.content }}<|im_end|>{% endfor %}"
LOOPS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
LONG = "{% set text = 'a' * 1000 %}{% for a in range(9999) %}{{ text }}{% endfor %}"


def prompt(chat_template: Any, system: bool = True) -> tuple[int, ...]:
    tokenizer = copy.deepcopy(byte_tokenizer())
    tokenizer.chat_template = chat_template
    tokenizer.name_or_path = "models/odd"
    turns = [*([("system", "You rank.")] if system else []), ("user", f"Rank {mark(0)}")]
    return Chat(tokenizer).prompt(turns, [(65, 66)])


def refused(chat_template: Any, **named: bool) -> str:
    with pytest.raises(InputError) as caught:
        prompt(chat_template, **named)
    assert str(caught.value).startswith("models/odd: its chat template ")
    assert str(caught.value).endswith("; repair or remove it (chat_template.jinja)")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "BOUNDS", replace(template.BOUNDS, seconds=0.3))


@pytest.mark.parametrize(
    ("chat_template", "message"),
    [
        ("{{ 1 // 0 }}", "fails: integer division or modulo by zero"),
        ("{{ messages + 3 }}", "fails: can only concatenate list"),
        ("{{ raise_exception | tojson }}", "fails: "),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "fails: maximum recursion depth exceeded"),
        ("{% for a in range(10 ** 12) %}{% endfor %}", "fails: "),
        (5, "fails: "),
        ([1], "fails: "),
        ("{% for %}", "refuses the conversation: "),
        ("{{ messages[9].content.x }}", "refuses the conversation: "),
        ("{{ raise_exception('no\\nway') }}", "refuses the conversation: no way"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "refuses the conversation: "),
        ("hello", "leaves out what it is given"),
        ("{{ messages[0].content }}", "leaves out what it is given"),
    ],
)
def test_a_template_that_fails_is_named(chat_template: Any, message: str) -> None:
    assert message in refused(chat_template)


@pytest.mark.parametrize(
    "chat_template",
    [
        LOOPS,
        LOOPS.replace("{% endfor %}", "{{ b }}{% endfor %}", 1),
        "{% for a in range(99999) %}{{ range(99999) | sum }}{% endfor %}",
        # A single call, which nothing within the process interrupts.
        "{% set n = messages | length %}{{ (n + 9) ** (10 ** 9) }}",
        "{{ 10 ** (10 ** 9) }}",
    ],
)
def test_a_template_without_end_is_stopped(chat_template: str, hurried: None) -> None:
    assert "does not end within 0.3 seconds or 4 MiB" in refused(chat_template)


def test_a_template_that_writes_without_end_is_stopped() -> None:
    assert "does not end within 20 seconds or 4 MiB" in refused(LONG)


@pytest.mark.parametrize("chat_template", ["{{ 'a' * 10 ** 10 }}", "{{ 'a' | center(10 ** 10) }}"])
def test_a_template_that_fills_the_memory_is_stopped(chat_template: str) -> None:
    assert "takes more than 256 MiB of memory" in refused(chat_template)


def test_an_ordinary_template_is_far_below_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = template.BOUNDS
    few = replace(bounds, seconds=bounds.seconds / 20, memory=bounds.memory // 4, answer=bounds.answer // 100)
    monkeypatch.setattr(template, "BOUNDS", few)
    found = prompt(GOOD)
    assert found.count(65) == found.count(66) == 1


def test_other_threads_do_not_matter() -> None:
    busy = threading.Event()
    others = [threading.Thread(target=busy.wait) for _ in range(4)]
    for other in others:
        other.start()
    try:
        assert prompt(GOOD).count(65) == 1
    finally:
        busy.set()
        for other in others:
            other.join()


def test_a_template_without_a_system_turn_gets_it_with_the_user_s() -> None:
    picky = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + GOOD
    whole = byte_tokenizer().decode(prompt(picky))
    assert "You rank." in whole
    # Where there is no such turn, the refusal is the template's last word.
    assert "refuses the conversation: never" in refused("{{ raise_exception('never') }}", system=False)


@pytest.mark.parametrize("tag", ["think", "thinking"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_thought_that_the_template_begins_is_ended(tag: str, end: str) -> None:
    """As templates of models that always think begin one: what follows is the answer, not a thought."""
    whole = byte_tokenizer().decode(prompt(GOOD + f"<|im_start|>assistant<{tag}>{end}"))
    assert whole.endswith(f"<|im_start|>assistant<{tag}>\n\n</{tag}>\n\n")
    assert whole.count(f"</{tag}>") == 1


def test_a_thought_that_is_ended_stays_as_it_is() -> None:
    ended = "<|im_start|>assistant<think>\n\n</think>\n\n"
    # Jinja drops a template's last line end.
    assert byte_tokenizer().decode(prompt(f"{GOOD}{ended}\n")).endswith(ended)
    # What a passage or an instruction says of thoughts opens none.
    assert "</think>" not in byte_tokenizer().decode(prompt("<think>" + GOOD))


def test_a_thought_with_words_in_it_is_refused() -> None:
    message = refused(GOOD + "<|im_start|>assistant<think>Okay, so")
    assert "begins a thought of its own, '<think>Okay, so'" in message


@pytest.mark.parametrize("special", [True, False])
def test_thoughts_are_told_from_answers_whether_their_marks_are_special_or_not(special: bool) -> None:
    tokenizer = copy.deepcopy(byte_tokenizer())
    if special:
        tokenizer.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    ids = tokenizer("<think>[2]</think>[1]<|im_end|>", add_special_tokens=False)["input_ids"]
    assert _answered(tokenizer, ids) == "<think>[2]</think>[1]"
    assert read_order(_answered(tokenizer, ids), 2).order == (0, 1)
