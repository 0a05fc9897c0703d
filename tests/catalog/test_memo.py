"""What is remembered by text, and when it is given up."""

from __future__ import annotations

from catalog.memo import TextMemo


def test_values_are_known_by_their_texts() -> None:
    memo: TextMemo[int] = TextMemo(10)
    assert memo.get("abc") is None
    assert memo.put("abc", 1) == 1
    assert (memo.get("abc"), memo.size_chars) == (1, 3)


def test_beyond_the_budget_it_begins_anew_with_the_last_one() -> None:
    memo: TextMemo[int] = TextMemo(5)
    memo.put("abc", 1)
    memo.put("de", 2)
    assert (memo.get("abc"), memo.get("de"), memo.size_chars) == (1, 2, 5)
    memo.put("f", 3)
    assert (memo.get("abc"), memo.get("de"), memo.get("f"), memo.size_chars) == (None, None, 3, 1)
