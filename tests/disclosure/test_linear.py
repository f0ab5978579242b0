"""The linear audit: groups that can be had by adding and subtracting."""

import itertools

import numpy as np
import pytest

from engagement.disclosure.linear import MOST_PIVOTS, audit_linear
from engagement.disclosure.views import Cells, Ledger, ShareFigure, cells

PRIME = 2**61 - 1


def table(sizes, rows):
    """Cells of these sizes under views with these rows; every count is possible."""
    made = np.array(rows, dtype=np.int64).reshape(-1, len(sizes))
    people = tuple(tuple((row,) for row in range(size)) for size in sizes)
    size = np.array(sizes, dtype=np.int64)
    reach = np.abs(made) @ size
    nobody = np.zeros_like(size)
    unknowns = np.zeros((0, 3), dtype=np.int64)
    return Cells(size, size, nobody, nobody, made, -reach, reach, size, people, unknowns)


def test_total_minus_arm_gives_the_other_arm():
    """A total beside one arm of 30 gives the other arm of 6 away, and not an arm of 10."""
    assert audit_linear(table([6, 30], [[1, 1], [0, 1]]), 10).people == 6
    assert audit_linear(table([10, 30], [[1, 1], [0, 1]]), 10).safe


def test_margins_of_two_tables_hide_their_cells():
    """Two one-way tables of 2 by 2 give no cell of 3 away; with one cell of the cross printed they give all four."""
    margins = [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1]]
    assert audit_linear(table([3, 8, 9, 3], margins), 10).safe
    verdict = audit_linear(table([3, 12, 12, 3], [*margins, [0, 1, 0, 0]]), 10)
    assert (verdict.safe, verdict.people) == (False, 3)


def test_panel_beside_all_gives_the_rest():
    """The people who answered twice beside all who answered give the four who did not; ten of them are safe."""
    assert audit_linear(table([40, 4], [[1, 1], [1, 0]]), 10).people == 4
    assert audit_linear(table([40, 10], [[1, 1], [1, 0]]), 10).safe


def null_vector(matrix, rng):
    """A random vector of the null space modulo 2**61 - 1, by Gauss's elimination on whole numbers."""
    rows, width = [[int(v) % PRIME for v in row] for row in matrix], matrix.shape[1]
    pivots = []
    for column in range(width):
        at = next((i for i in range(len(pivots), len(rows)) if rows[i][column]), None)
        if at is None:
            continue
        done = len(pivots)
        rows[done], rows[at] = rows[at], rows[done]
        inverse = pow(rows[done][column], PRIME - 2, PRIME)
        rows[done] = [v * inverse % PRIME for v in rows[done]]
        for i, row in enumerate(rows):
            if i != done and row[column]:
                rows[i] = [(v - row[column] * w) % PRIME for v, w in zip(row, rows[done], strict=True)]
        pivots.append(column)
    out = [int(v) for v in rng.integers(1, PRIME, width)]
    for row, column in zip(rows, pivots, strict=False):
        out[column] = -sum(row[c] * out[c] for c in range(width) if c not in pivots) % PRIME
    return out


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_zero_sums_of_a_random_null_vector(seed):
    """On random tables it finds the smallest union of cells whose random null vector sums to zero, or none."""
    rng = np.random.default_rng(seed)
    width = int(rng.integers(3, 10))
    sizes = rng.integers(1, 6, width)
    rows = rng.integers(0, 2, (int(rng.integers(1, 6)), width))
    if seed % 3 == 0:
        rows = np.concatenate([rows, rng.integers(-3, 4, (1, width))])
    vector = null_vector(rows, rng)
    small = [
        int(sizes[list(union)].sum())
        for count in range(1, width + 1)
        for union in itertools.combinations(range(width), count)
        if sum(vector[c] for c in union) % PRIME == 0
    ]
    expected = min((people for people in small if people < 6), default=None)
    verdict = audit_linear(table(sizes.tolist(), rows), 6)
    assert (verdict.people, verdict.safe) == (expected, expected is None)


def test_too_much_to_audit_is_not_safe():
    """More independent figures in one table than are tried, or too large numbers, fail closed."""
    width = MOST_PIVOTS + 2
    chain = np.eye(width, k=0, dtype=int)[:-1] + np.eye(width, k=1, dtype=int)[:-1]
    assert "too many" in audit_linear(table([20] * width, chain), 10).why
    rows = [[2**40 + 1, 2**40 - 3, 1], [2**39 - 7, 2**41 + 5, 3]]
    assert not audit_linear(table([20, 20, 20], rows), 10).safe


def test_shares_of_a_real_ledger():
    """Two localities and the two arms of one body are safe; adding a third of three people is not."""
    standing = np.array(["leader"] * 12 + ["grassroots"] * 31, dtype=object)
    locality = np.array((["north", "south"] * 22)[:40] + ["west"] * 3, dtype=object)
    y = np.array([1, 0] * 21 + [1])
    ledger = Ledger(
        np.arange(43), np.zeros(43, int), y, np.zeros(43, bool), {"standing": standing, "locality": locality}
    )
    figures = [
        ShareFigure(0, "standing", (a,), *p) for a, p in (("leader", (50, None)), ("grassroots", (50, None)))
    ]
    figures += [
        ShareFigure(0, "locality", (a,), *p)
        for a, p in (("north", (90, "at_least")), ("south", (10, "at_most")))
    ]
    views = [figure.view(ledger) for figure in figures]
    assert audit_linear(cells(ledger, views), 10).people == 3
    assert audit_linear(cells(ledger, views[:3]), 10).safe
