"""Leakage: which texts count as one query or nearly, and what a study says and does about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrank.data.leakage import (
    Leak,
    check_leaks,
    find_leaks,
    left_out,
    note,
    read_leaks,
    words,
    write_leaks,
)
from headrank.errors import InputError

TEST = "how do red oak trees survive cold winters"


def found(text: str, test: str = TEST) -> list[tuple[str, float]]:
    leaks = find_leaks({"training": {"t": {"q": text}}}, {"b": {"1": "quite another question", "2": test}})
    assert {leak.test_qid for leak in leaks} <= {"2"}
    return [(leak.how, leak.similarity) for leak in leaks]


@pytest.mark.parametrize(
    "text",
    [
        TEST,
        f"{TEST}?",
        "How do red oak trees survive cold winters",
        "how do red oak trees, survive cold winters",
        "how do red\u200b oak trees survive cold winters",
        "how do r\u200bed oak trees survive cold winters",
        "how do red\u200boak trees survive cold winters",
        "how do red o\u00adak trees survive co\u2060ld winters\ufeff",
        "\u202ehow do red oak trees survive cold winters\u202c",
        "how do red oak\ufe0f trees survive cold winters",
        "how do red\u00a0oak\u3000trees\tsurvive\n cold   winters",
        "ｈｏｗ ｄｏ ｒｅｄ ｏａｋ ｔｒｅｅｓ ｓｕｒｖｉｖｅ ｃｏｌｄ ｗｉｎｔｅｒｓ",
        "“how do red-oak trees survive (cold) winters”…",
    ],
)
def test_case_width_punctuation_and_invisible_characters_do_not_count(text: str) -> None:
    assert found(text) == [("same text", 1.0)]


def test_word_order_does_not_count() -> None:
    assert found("cold winters: how do red oak trees survive?") == [("same words", 1.0)]


@pytest.mark.parametrize(
    ("text", "test", "similarity"),
    [
        # Function words aside, all seven words or eight.
        ("how do the red oak trees survive in cold winters", TEST, 1.0),
        ("how do red oak trees survive cold winters today", TEST, 8 / 9),
        ("how do red oak trees survive cold", TEST, 7 / 8),
        ("how do old oak trees survive cold winters", TEST, 7 / 9),
        ("red oak tree height", "the red oak tree", 3 / 4),
        # Five characters of six, where no blank divides words.
        ("東京の天気", "東京の天気は", 5 / 6),
    ],
)
def test_near_is_three_quarters_of_all_words_shared(text: str, test: str, similarity: float) -> None:
    assert found(text, test) == [("near", pytest.approx(similarity))]


@pytest.mark.parametrize(
    ("text", "test"),
    [
        # TREC DL 2020 and 2021; three words of five are shared, of which two are function words.
        ("what is a kanima", "what is a alm"),
        ("how much does it cost to fly", "how much does it cost to drive"),
        ("vitamin c deficiency", "vitamin d deficiency"),
        ("experimental studies of creep buckling .", "theoretical studies of creep buckling ."),
        ("red oak", "red oak tree"),
        ("東京の天気", "京都の料理"),
        ("?", "!"),
        ("", "a"),
    ],
)
def test_other_questions_in_the_same_words_are_others(text: str, test: str) -> None:
    assert found(text, test) == []


def test_letters_of_every_script_are_words_and_marks_belong_to_them() -> None:
    assert words("Straße, ÉCOLE; e\u0301cole") == ["strasse", "école", "école"]
    assert words("हिन्दी में") == ["हिन्दी", "में"]
    assert words("東京 2020年") == ["東", "京", "2020", "年"]
    assert words("?!") == ["?!"]
    # Texts of signs alone, and empty ones, are one only if they are equal.
    assert found("?", "?") == [("same text", 1.0)]
    assert found("", "") == [("same text", 1.0)]


def leak(qid: str, pool: str = "training") -> Leak:
    return Leak(pool, "t", qid, "Red oak?", "b", "7", "red oak", "same text", 1.0)


def test_a_leak_stops_a_study_with_one_line_that_names_both_queries_and_the_ways_out() -> None:
    check_leaks([], {"training": 3}, "stop")
    with pytest.raises(InputError) as error:
        check_leaks([leak("q1"), leak("q2")], {"training": 38}, "stop")
    line = str(error.value)
    assert line.startswith("train_on: 2 of 38 training queries are test queries too, or nearly")
    assert "t's q1 'Red oak?' is b's 7 'red oak' (same text, 1.00)" in line
    assert "leakage: leave-out" in line
    assert "leakage: allow" in line
    assert "\n" not in line
    with pytest.raises(InputError, match="detect_on: 1 of 2 detection queries"):
        check_leaks([leak("q1", "detection")], {"training": 3, "detection": 2}, "stop")


def test_a_study_goes_on_without_them_unless_none_would_be_left() -> None:
    leaks = [leak("q1"), leak("q1"), leak("q2")]
    check_leaks(leaks, {"training": 3}, "leave-out")
    check_leaks(leaks, {"training": 2}, "allow")
    with pytest.raises(InputError, match=r"2 of 2 training queries .* leave-out leaves none to learn from"):
        check_leaks(leaks, {"training": 2}, "leave-out")
    assert left_out(leaks, "training") == {"q1", "q2"}
    assert left_out(leaks, "detection") == set()


def test_captions_say_how_many_and_what_became_of_them() -> None:
    leaks = [leak("q1"), leak("q2"), leak("d", "detection")]
    told = note(leaks, "allow")
    assert "2 training and 1 detection queries" in told
    assert "kept (leakage.json)" in told
    assert "1 training query, " in note(leaks[:1], "leave-out")
    assert "left out" in note(leaks[:1], "leave-out")
    assert note([], "allow") == ""


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    leaks = [leak("q1"), leak("ü", "detection")]
    write_leaks(tmp_path / "leakage.json", leaks, "allow")
    assert read_leaks(tmp_path / "leakage.json") == (leaks, "allow")
    for text in ("{", "[]", '{"action": "allow", "leaks": [{"pool": 1}]}'):
        (tmp_path / "leakage.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"leakage\.json: no readable record of leakage"):
            read_leaks(tmp_path / "leakage.json")
