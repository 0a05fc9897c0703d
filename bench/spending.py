"""How the error that a measurement may make is spent over its looks. Pure: no input, no output, no clock.

A measurement that is looked at several times has several chances to be wrong. Dividing the permitted error by
the number of looks (Bonferroni) forgets that the looks see mostly the same data. Here a spending function says
how much of the error may have been used up at a share of the data (Lan and DeMets, "Discrete sequential
boundaries for clinical trials", Biometrika 70, 1983), and the level of each look is worked out so that exactly
this much is used, by integration over what the looks before left undecided (Armitage, McPherson and Rowe,
"Repeated significance tests on accumulating data", JRSS A 132, 1969).
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq  # type: ignore[import-untyped]  # scipy ships no types
from scipy.special import ndtr  # type: ignore[import-untyped]  # as above

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_FAR = 9.0
"""Beyond so many standard deviations nothing is integrated."""


def spent(error: float, share: float, exponent: float) -> float:
    """How much of `error` may be used up once a share of the planned data is seen: error * share^exponent.

    The family of Kim and DeMets ("Design and analysis of group sequential tests based on the type I error
    spending rate function", Biometrika 74, 1987). An exponent of 1 resembles Pocock's boundaries, 3 those of
    O'Brien and Fleming, which spend little early and so keep the most for the end.
    """
    return float(error * min(1.0, share) ** exponent)


@lru_cache(maxsize=4096)
def level(seen: tuple[int, ...], used: tuple[float, ...]) -> float:
    """The one-sided level of the last look, at which its error comes to what may be used.

    `seen[look]` is how much data the looks saw, `used[look]` the error that all up to it may make together.
    Worked out for means of normal values of known spread, whose looks are those of a Brownian motion; a test
    of Student's kind takes the same level (Pocock, "Group sequential methods in the design and analysis of
    clinical trials", Biometrika 64, 1977). A look that may use nothing has a level of 0. Raises ValueError
    for looks that see no more than those before them, and for an error that shrinks or is none.
    """
    if not seen or len(seen) != len(used) or any(b <= a for a, b in zip((0, *seen), seen, strict=False)):
        raise ValueError(f"expected looks at more and more data, found {seen} with errors {used}")
    if any(b < a for a, b in zip((0.0, *used), used, strict=False)) or not used[-1] < 1.0:
        raise ValueError(f"expected errors that grow and stay below 1, found {used}")
    crossing = _Undecided()
    boundary = float("inf")
    for data, before, until in zip(seen, (0.0, *used), used, strict=False):
        boundary = crossing.look(float(data), until - before)
    return float(ndtr(-boundary))


class _Undecided:
    """The sum of the data where no look has crossed its boundary: a density, at nodes of integration."""

    def __init__(self) -> None:
        self._at: NDArray[np.float64] = np.zeros(1)
        self._mass: NDArray[np.float64] = np.ones(1)
        self._data = 0.0

    def look(self, data: float, error: float) -> float:
        """The boundary (in standard deviations of the sum) that is first crossed here with this error."""
        spread = sqrt(data - self._data)

        def excess(boundary: float) -> float:
            return float(self._mass @ ndtr((self._at - boundary * sqrt(data)) / spread)) - error

        boundary = float("inf") if error <= 0.0 else float(brentq(excess, -_FAR, 40.0, xtol=1e-12))
        self._advance(data, spread, min(boundary, _FAR) * sqrt(data))
        return boundary

    def _advance(self, data: float, spread: float, end: float) -> None:
        begin = -_FAR * sqrt(data)
        at = begin + (end - begin) * (_NODES + 1.0) / 2.0
        steps = (at[:, None] - self._at[None, :]) / spread
        density = np.exp(-steps * steps / 2.0) @ self._mass / (spread * sqrt(2.0 * np.pi))
        self._mass = density * _WEIGHTS * (end - begin) / 2.0
        self._at, self._data = at, data
