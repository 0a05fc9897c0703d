"""Values by the text that they were made of, up to a budget of text."""

from __future__ import annotations

from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class TextMemo(Generic[_Value]):
    """Remembers values until their texts have more than `budget_chars` characters; then it begins anew.

    `get` hands out the value of a text, or `None`.
    """

    def __init__(self, budget_chars: int) -> None:
        self._budget_chars = budget_chars
        self._size_chars = 0
        self._known: dict[str, _Value] = {}
        self.get = self._known.get

    def put(self, text: str, value: _Value) -> _Value:
        """Remember a value, and hand it out."""
        self._size_chars += len(text)
        if self._size_chars > self._budget_chars:
            self._known.clear()
            self._size_chars = len(text)
        self._known[text] = value
        return value

    @property
    def size_chars(self) -> int:
        """How many characters the remembered texts have together."""
        return self._size_chars
