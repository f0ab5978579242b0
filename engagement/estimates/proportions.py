"""One proportion: the Wilson interval, and the effective number of answers on a finite roster."""

import numpy as np
from numpy.typing import ArrayLike

Z95 = 1.959963984540054
"""97.5% point of the normal distribution: every interval of the product is a 95% interval."""


def wilson(p: ArrayLike, n: ArrayLike):
    """95% interval of one proportion, as the pair (low, high).

    `p`: favourable share, a fraction, any shape. `n`: number of answers, broadcast against `p`; it need not be
    whole (an effective number may be passed). Returns arrays of the broadcast shape, floats for scalars.

    `n` infinite gives the point itself: everybody on the roster answered. `n` zero or `p` NaN gives NaN: where
    nobody answered there is no estimate, and it must not look like 0%.

    Raises ValueError where `p` lies outside [0, 1], or `n` is negative or NaN.

    Source: Wilson 1927, JASA 22, the score interval without continuity correction.
    """
    p, n = np.broadcast_arrays(np.asarray(p, float), np.asarray(n, float))
    if np.any((p < 0) | (p > 1)):
        raise ValueError("A share must lie between 0 and 1; divide percentages by 100.")
    if np.any(np.isnan(n) | (n < 0)):
        raise ValueError("The number of answers must be 0 or more.")
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = Z95**2 / n
        centre = (p + spread / 2) / (1 + spread)
        half = Z95 / (1 + spread) * np.sqrt(p * (1 - p) / n + spread / (4 * n))
        low, high = np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
    # Rounding error may leave an end 1e-17 inside 0 or 1, or past the estimate itself.
    low, high = np.where(p == 0, 0.0, np.minimum(low, p)), np.where(p == 1, 1.0, np.maximum(high, p))
    undefined = (n == 0) | np.isnan(p)
    low, high = np.where(undefined, np.nan, low), np.where(undefined, np.nan, high)
    return low[()], high[()]


def finite_n(n: ArrayLike, N: ArrayLike):
    """Effective number of answers when `n` of a roster of `N` answered: n(N-1)/(N-n).

    Any shapes that broadcast; a float for scalars. Infinite where everybody answered (the share is then known,
    not estimated) and 0 where nobody did.

    The correction belongs to members within a role, never to practices, and assumes that the silent resemble
    those who answered.

    Raises ValueError unless 0 <= n <= N.

    Source: finite population correction (N-n)/(N-1) put into the number of answers; notes, "Gap, descriptive".
    """
    n, N = np.broadcast_arrays(np.asarray(n, float), np.asarray(N, float))
    if not np.all((n >= 0) & (n <= N)):
        raise ValueError("The number of answers must lie between 0 and the number invited.")
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = n * (N - 1) / (N - n)
    return np.where(n == 0, 0.0, np.where(n == N, np.inf, effective))[()]
