"""Figures and foreign text as a person reads them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.result import Interval

NONE = "-"

_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def duration(time_ns: float | None) -> str:
    """A time with three significant digits in the unit that suits it."""
    if time_ns is None:
        return NONE
    # A time that rounding lifts to 1000 of its unit is told in the next one.
    factor, unit = next(((factor, unit) for factor, unit in _UNITS if time_ns >= 0.9995 * factor), _UNITS[-1])
    return f"{significant(time_ns / factor)} {unit}"


def significant(value: float) -> str:
    """A number with three significant digits, thousands apart, never in powers of ten."""
    rounded = float(f"{value:.3g}")
    digits_before_point = math.floor(math.log10(rounded)) + 1 if rounded > 0 else 1
    return f"{rounded:,.{max(3 - digits_before_point, 0)}f}"


def times(ratio: float | None) -> str:
    """A ratio, such as `274x`."""
    return NONE if ratio is None else f"{significant(ratio)}x"


def bounds(interval: Interval | None) -> str:
    """The bounds of an interval, such as `251-298`."""
    if interval is None:
        return NONE
    if interval.low is None or interval.high is None:
        return "no interval"
    return f"{significant(interval.low)}-{significant(interval.high)}"


def size(size_bytes: float) -> str:
    """A size in the unit that suits it, powers of 1,000."""
    factor, unit = next(((factor, unit) for factor, unit in _SIZES if size_bytes >= factor), (1.0, "B"))
    return f"{size_bytes / factor:.3g} {unit}"


def share(value: float) -> str:
    """A share in percent."""
    return f"{100 * value:.0f} %"


def printable(text: str) -> str:
    """Somebody else's text with everything escaped that could steer a terminal."""
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
