"""The linear audit: can any small group be had by adding and subtracting what is printed?

It asks this of the groups themselves, whatever the answers are and as if every figure were printed exactly. A set of
people can be had so if its 0/1 vector lies in the row space of the views.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from engagement.disclosure.views import Cells

MOST_PIVOTS = 18
_CHUNK = 1 << 14


@dataclass(frozen=True)
class LinearVerdict:
    """`safe`, or why not; `people`: size of the smallest group found, None where none was looked for or found."""

    safe: bool
    why: str = ""
    people: int | None = None


def audit_linear(found: Cells, threshold: int) -> LinearVerdict:
    """Whether no union of cells with 1 to `threshold` - 1 people lies in the row space of the views.

    Exact: the views are reduced to echelon form in fractions, and a 0/1 vector of the row space is fixed by its
    values at the pivots, so all of them are tried: 2 to the rank, each connected part of the table on its own.
    Not safe where a part has more than `MOST_PIVOTS` pivots, or numbers too large for exact whole-number arithmetic.

    Source: row space criterion of query auditing, Chin & Ozsoyoglu 1982.
    """
    smallest = None
    for cells_in, views_in in parts(found.matrix):
        rows, pivots = echelon(found.matrix[np.ix_(views_in, cells_in)])
        if len(pivots) > MOST_PIVOTS:
            return LinearVerdict(False, "there are too many figures to audit")
        try:
            least = _smallest(rows, pivots, found.size[cells_in], threshold)
        except OverflowError:
            return LinearVerdict(False, "the figures are too unwieldy to audit")
        if least is not None:
            smallest = least if smallest is None else min(smallest, least)
    if smallest is None:
        return LinearVerdict(True)
    return LinearVerdict(False, "a group under the threshold can be had by subtraction", smallest)


def parts(matrix: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Connected parts of a matrix (views, cells): pairs of cell and view indices. Cells in no view are in none."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    views, width = matrix.shape
    links = np.zeros((views + width, views + width), dtype=bool)
    links[:views, views:] = matrix != 0
    _, label = connected_components(csr_matrix(links), directed=False)
    out = []
    for part in range(label.max(initial=-1) + 1):
        views_in, cells_in = np.flatnonzero(label[:views] == part), np.flatnonzero(label[views:] == part)
        if len(views_in) and len(cells_in):
            out.append((cells_in, views_in))
    return out


def echelon(matrix: np.ndarray) -> tuple[list[list[Fraction]], list[int]]:
    """Reduced row echelon form in exact fractions, without zero rows, and its pivot columns."""
    rows = [[Fraction(int(value)) for value in row] for row in np.unique(matrix, axis=0)]
    pivots: list[int] = []
    for column in range(matrix.shape[1]):
        done = len(pivots)
        at = next((place for place in range(done, len(rows)) if rows[place][column]), None)
        if at is None:
            continue
        rows[done], rows[at] = rows[at], rows[done]
        pivot = rows[done][column]
        rows[done] = [value / pivot for value in rows[done]]
        for place, row in enumerate(rows):
            if place != done and row[column]:
                factor = row[column]
                rows[place] = [value - factor * base for value, base in zip(row, rows[done], strict=True)]
        pivots.append(column)
    return rows[: len(pivots)], pivots


def _smallest(rows: list[list[Fraction]], pivots: list[int], size: np.ndarray, threshold: int) -> int | None:
    """Fewest people, below `threshold`, in a 0/1 vector of the row space; None where there is no such vector."""
    scale = 1
    for row in rows:
        for value in row:
            scale = np.lcm(scale, value.denominator) if scale < 2**31 else 2**62
    basis = [[int(value * int(scale)) for value in row] for row in rows]
    if int(scale) * len(rows) >= 2**31 or max(abs(v) for row in basis for v in row) * len(rows) >= 2**62:
        raise OverflowError("The basis does not fit whole-number arithmetic.")
    basis = np.array(basis, dtype=np.int64)
    bits, least = np.arange(len(pivots)), None
    for start in range(1, 1 << len(pivots), _CHUNK):
        codes = np.arange(start, min(start + _CHUNK, 1 << len(pivots)))
        chosen = (codes[:, None] >> bits) & 1
        chosen = chosen[chosen @ size[pivots] < threshold]
        vectors = chosen @ basis
        binary = ((vectors == 0) | (vectors == scale)).all(axis=1)
        people = (vectors[binary] // scale) @ size
        people = people[people < threshold]
        if len(people):
            least = int(people.min()) if least is None else min(least, int(people.min()))
    return least
