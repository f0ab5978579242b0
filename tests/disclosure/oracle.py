"""A slow and simple intruder, to hold the audits to: it lists every possible body of answers.

It shares no code with the audits beyond the ledger and the views that it is given. Small bodies only.
"""

from __future__ import annotations

import itertools

import numpy as np


def possible(ledger, views, *, steady=False, known=False) -> np.ndarray:
    """All answers (solutions, rows) that print as the views say; with `steady` nobody's answers differ."""
    rows = len(ledger.person)
    unknowns = [int(p) for p in dict.fromkeys(ledger.person.tolist())] if steady else list(range(rows))
    owner = [unknowns.index(int(p)) for p in ledger.person] if steady else list(range(rows))
    grid = np.array(list(itertools.product((0, 1), repeat=len(unknowns))), dtype=np.int64)[:, owner]
    if known:
        open_ = {owner[row] for row in np.flatnonzero(ledger.known)}
        fixed = [row for row in range(rows) if owner[row] in open_]
        grid = grid.copy()
        grid[:, fixed] = ledger.favourable[fixed]
        grid = np.unique(grid, axis=0)
    for view in views:
        at = grid @ view.weights
        grid = grid[(view.low <= at) & (at <= view.high)]
    return grid


def exposed(ledger, solutions, *, held=3, steady=False, known=False) -> tuple | None:
    """Somebody whose answer every solution agrees on that is left by some `held` other people's true answers, as
    (person or row, people held); None where there is nobody."""
    if not len(solutions):
        return None
    if steady:
        people = {
            int(p): np.flatnonzero(ledger.person == p).tolist() for p in dict.fromkeys(ledger.person.tolist())
        }
    else:
        people = {row: [row] for row in range(len(ledger.person))}
    if known:
        people = {p: rows for p, rows in people.items() if not ledger.known[rows].any()}
    first = {p: rows[0] for p, rows in people.items()}
    # Somebody who did change their answer cannot take part in an attack that rests on nobody having done so.
    steadfast = [p for p, rows in people.items() if len(set(ledger.favourable[rows].tolist())) == 1]
    for trio in itertools.combinations(steadfast, min(held, len(steadfast))):
        left = solutions
        for p in trio:
            left = left[left[:, first[p]] == ledger.favourable[first[p]]]
        if not len(left):
            continue
        constant = (left == left[0]).all(axis=0)
        for p in people:
            if p not in trio and constant[first[p]]:
                return p, trio
    return None
