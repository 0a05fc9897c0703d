"""What all tests share: parameters named so that 1 and '1' differ."""

from __future__ import annotations


def pytest_make_parametrize_id(val: object) -> str | None:
    """The literal of a scalar, so that no two parameters share a name; pytest names the others."""
    return repr(val)[:60] if isinstance(val, str | bytes | int | float) else None
