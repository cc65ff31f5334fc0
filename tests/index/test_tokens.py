"""Tokens: words that are spelled in several ways, symbols, and scripts of all kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.index.tokens import (
    fold,
    fold_but_umlauts,
    has_symbols,
    joined_phrase_of,
    list_tokens,
    phrase_of,
    spelled_phrase_of,
    split_compound,
    split_terms,
)


@pytest.mark.parametrize(
    ("text", "plain", "joined"),
    [
        ("U.S.A. and AT&T", "u s a and at t", "usa and att"),
        ("I don’t, he'll", "i don t he ll", "i dont he ll"),
        ("e-mail, F-16, 2-1", "e mail f 16 2 1", "email f16 2 1"),
        ("1,000 1.000.000 3.5 10:30", "1 000 1 000 000 3 5 10 30", "1000 1000000 3 5 10 30"),
        ("C++ is $5, 100%", "c is 5 100", "c + + is $ 5 100 %"),
        ("I ❤️ 🍕", "i", "i ❤ 🍕"),
        ("extra-\nordinary co\u2010op", "extra ordinary co op", "extraordinary coop"),
        ("AC/DC at 5 km/h", "ac dc at 5 km h", "acdc at 5 kmh"),
        ("Brand™ 20℃", "brand 20", "brand ™ 20 ℃"),
    ],
)
def test_the_two_forms(text, plain, joined):
    assert phrase_of(text) == plain
    assert joined_phrase_of(text) == joined
    assert has_symbols(text) == any(not word.isalnum() for word in joined.split())


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Mu\u0308ller-Öl", "muelleroel"),
        ("Århus, SØREN", "aarhus soeren"),
        ("naïve C++", "naive c + +"),
    ],
)
def test_umlauts_are_spelled_as_two_letters(text, spelled):
    assert spelled_phrase_of(text) == spelled
    assert spelled_phrase_of(fold_but_umlauts(text)) == spelled


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Straße GROẞ", "strasse gross"),
        ("ﬁnal eﬀort", "final effort"),
        ("ＦＵＬＬ ２０２４", "full 2024"),
        ("Łódź Øresund Đà œuvre", "lodz oresund da oeuvre"),
        ("İstanbul ışık", "istanbul isik"),
        ("Cafe\u0301 co\u00adop x² ½", "cafe coop x2 1 2"),
        ("ΟΔΟΣ οδός Ёлка", "οδοσ οδοσ елка"),
        ("مُحَمَّدٌ أحمد", "محمد احمد"),
        ("שָׁלוֹם", "שלום"),
        ("नमस्ते कि की।", "नमस्ते कि की"),
        ("தமிழ்", "தமிழ்"),
        ("한국어로", "한 국 어 로"),
        ("ｶﾞがか", "ガ が か"),
        ("ไก่", "ไ ก ่"),
    ],
)
def test_letters_of_all_scripts(text, words):
    assert phrase_of(text) == words


def test_a_query_asks_for_compounds_whole_and_for_symbols_one_by_one():
    assert split_terms("U.S.A. don't he’ll 3.5 C++ 渋谷区 한국어로") == [
        *("u.s.a", "don't", "he'll", "3.5", "c", "+", "+", "渋谷", "谷区", "한국어로"),
    ]
    assert split_compound("blue-eyed") == ["blue", "eyed"]
    assert split_compound("+") == ["+"]


@given(st.text())
def test_tokens_stand_where_they_say_and_in_order(text):
    phrases = phrase_of(text), joined_phrase_of(text), spelled_phrase_of(text)
    for tokens, phrase in zip(list_tokens(text), phrases, strict=True):
        assert len(tokens) == len(phrase.split(" ")) or not phrase
        ends = 0
        for _, start, end in tokens:
            assert ends <= end
            assert 0 <= start < end <= len(text)
            ends = end


@given(st.text())
def test_folding_again_changes_nothing_of_the_words(text):
    assert phrase_of(fold(text)) == phrase_of(text)
    assert not has_symbols(phrase_of(text))
