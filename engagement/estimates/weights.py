"""Weights that give a round's answers the make-up of the roster, and the variances that follow from them.

In order: class weights N/n in role by locality; raking to the roster's margins; trimming at a stated cap; Kish's
design effect. `weigh` does all of it. `calibrated` turns weighted answers into a `Stack`, from which gaps and
changes are read as from any other.

Every weighted figure assumes that, within the variables weighted on, the silent think like those who answered.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from engagement.estimates.clustered import ONE_PRACTICE, Stack, frozen, whole

TOLERANCE = 1e-10
MAX_PASSES = 200
FEWEST = 5
LARGEST_FACTOR = 3.0

Category = tuple[str, ...]


@dataclass(frozen=True)
class Collapse:
    """A category merged into another. `reason` is "nobody answered", "few answers" or "large factor"; labels have
    one part for each of the `variables`."""

    variables: tuple[str, ...]
    category: Category
    into: Category
    reason: str


@dataclass(frozen=True, eq=False)
class Margin:
    """Categories that weights must add up to. `codes`: (n,) category of each answer; `targets`: (k,) members of each
    category on the roster, all positive; `categories`: (k,) what each holds after collapsing."""

    name: str
    categories: tuple[tuple[Category, ...], ...]
    codes: np.ndarray
    targets: np.ndarray
    collapsed: tuple[Collapse, ...] = ()


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights of one round's answers, and how they came about.

    `weights`: (n,) positive, adding up to the members they stand for. `base`: (n,) before raking. `margins`: what was
    raked to. `passes`: rounds of raking done. `margin_error`: the largest relative distance from a target that the
    weights are left with: about 0 after raking, more after trimming. `deff` and `n_eff`: Kish's design effect and
    effective number of answers. `cap`: largest weight allowed, in mean weights, None where none was set; `trimmed`:
    answers whose weight it cut. `collapsed`: categories merged. `uncovered`: roles, with their members on the roster,
    from which nobody answered: the weights do not stand for them. `explanation` says what limits the weights.
    """

    weights: np.ndarray
    base: np.ndarray
    margins: tuple[Margin, ...]
    passes: int
    converged: bool
    margin_error: float
    deff: float | None
    n_eff: float
    cap: float | None = None
    trimmed: int = 0
    collapsed: tuple[Collapse, ...] = ()
    uncovered: tuple[tuple[str, int], ...] = ()
    explanation: str | None = None

    @property
    def approximate(self) -> bool:
        """Whether standard errors are approximate: they take the margins as met, and these weights miss them."""
        return self.trimmed > 0 or not self.converged


def kish(weights: ArrayLike) -> tuple[float | None, float]:
    """Design effect of unequal weights, and effective number of answers: (n Σw²/(Σw)², n/deff).

    `weights`: (n,), positive. Without any, (None, 0.0).

    Raises ValueError for a weight that is not positive and finite.

    Source: Kish 1965, Survey Sampling, section 11.7.
    """
    w = _positive(weights)
    if not w.size:
        return None, 0.0
    n_eff = float(w.sum() ** 2 / (w @ w))
    return w.size / n_eff, n_eff


def margin(name: str, answered: ArrayLike, roster: ArrayLike) -> Margin:
    """The margin of one variable: its categories among those who answered, (n,), and on the roster, (N,).

    Labels of any kind that has a text; None, an unknown value, is a category like any other. A category on the
    roster from which nobody answered is merged into the one with the lowest response rate (ties: first by name),
    for weights cannot stand for nobody; the margin reports it.

    Raises ValueError where nobody answered at all, or an answer's category is not on the roster.
    """
    answered, roster = _labels(answered), _labels(roster)
    members, answers = _counted(name, answered, roster)
    if not answers:
        raise ValueError("Nobody answered: there is nothing to weight.")
    groups = [[label] for label in sorted(answers)]
    collapsed = []
    for empty in sorted(members.keys() - answers.keys()):
        into = min(groups, key=lambda group: (answers[group[0]] / members[group[0]], group[0]))
        into.append(empty)
        collapsed.append(Collapse((name,), (empty,), (into[0],), "nobody answered"))
    code = {label: place for place, group in enumerate(groups) for label in group}
    return Margin(
        name=name,
        categories=tuple(tuple((label,) for label in group) for group in groups),
        codes=frozen(np.array([code[label] for label in answered], dtype=np.int64)),
        targets=frozen(np.array([sum(members[label] for label in group) for group in groups], float)),
        collapsed=tuple(collapsed),
    )


def classes(
    names: tuple[str, str],
    answered: tuple[ArrayLike, ArrayLike],
    roster: tuple[ArrayLike, ArrayLike],
    *,
    fewest: int = FEWEST,
    largest_factor: float = LARGEST_FACTOR,
) -> Margin:
    """Weighting classes of two crossed variables, say role by locality, as one margin to post-stratify on.

    `answered` and `roster`: the two variables' labels, (n,) and (N,) each. A class is thin with fewer than `fewest`
    answers, or where its factor N/n is over `largest_factor` times that of the whole. While a thin class has
    another of the same first variable beside it, the one with fewest answers (ties: first by name) is merged into
    the one with the nearest response rate (ties: first by name). Roles are never merged with each other: a role
    that is thin as a whole stays, and `weigh` says so.

    Raises ValueError where nobody answered, an answer's class is not on the roster, or nobody of some first
    category answered (`weigh` leaves such members out and reports them).

    Source: weighting-class adjustment, Kalton & Flores-Cervantes 2003, Journal of Official Statistics 19.
    """
    pairs = [list(zip(*map(_labels, side), strict=True)) for side in (answered, roster)]
    members, answers = _counted(" by ".join(names), *pairs)
    if not answers:
        raise ValueError("Nobody answered: there is nothing to weight.")
    whole = sum(members.values()) / sum(answers.values())
    groups: list[list[Category]] = []
    collapsed: list[Collapse] = []

    def rate(group):
        return sum(answers[c] for c in group) / sum(members[c] for c in group)

    def fault(group):
        n = sum(answers[c] for c in group)
        if n == 0:
            return "nobody answered"
        if n < fewest:
            return "few answers"
        return "large factor" if 1 / rate(group) > largest_factor * whole else None

    for first in sorted({pair[0] for pair in members}):
        of_first = [[pair] for pair in sorted(members) if pair[0] == first]
        if not any(answers[group[0]] for group in of_first):
            raise ValueError(f"Nobody in {first} answered: leave it out of the roster that is weighted to.")
        while len(of_first) > 1 and (thin := [group for group in of_first if fault(group)]):
            worst = min(thin, key=lambda group: (sum(answers[c] for c in group), group))
            others = [group for group in of_first if group is not worst]
            into = min(others, key=lambda group: (abs(rate(group) - rate(worst)), group))
            collapsed.append(Collapse(names, worst[0], into[0], fault(worst)))
            into.extend(worst)
            of_first = others
        groups += of_first

    code = {pair: place for place, group in enumerate(groups) for pair in group}
    return Margin(
        name=" by ".join(names),
        categories=tuple(map(tuple, groups)),
        codes=frozen(np.array([code[pair] for pair in pairs[0]], dtype=np.int64)),
        targets=frozen(np.array([sum(members[pair] for pair in group) for group in groups], float)),
        collapsed=tuple(collapsed),
    )


def post_stratify(strata: Margin, base: ArrayLike | None = None) -> Weights:
    """Weights that add up to the roster in each stratum: raking to a single margin, done in one pass.

    `base`: (n,) positive weights to begin with, 1 where left out; their scale is irrelevant. Errors as `rake`.

    Source: Holt & Smith 1979, Journal of the Royal Statistical Society A 142.
    """
    return rake([strata], base)


def rake(
    margins: Sequence[Margin],
    base: ArrayLike | None = None,
    *,
    tolerance: float = TOLERANCE,
    max_passes: int = MAX_PASSES,
) -> Weights:
    """Weights that add up to the roster on every margin at once, as near to the base weights as that allows.

    `margins` of the same answers and the same roster; `base`: (n,) positive weights to begin with, 1 where left
    out; their scale is irrelevant. Each pass fits every margin in turn; it stops when no category is further than
    `tolerance` from its target, relatively, or after `max_passes`, and says then that it did not converge (margins
    that no positive weights can meet together never do).

    Raises ValueError for no margin, answers or base weights of different lengths, a base weight that is not
    positive and finite, and margins that add up to different rosters.

    Source: iterative proportional fitting, Deming & Stephan 1940, Annals of Mathematical Statistics 11.
    """
    if not margins:
        raise ValueError("Give at least one margin to weight to.")
    n = margins[0].codes.size
    base = np.ones(n) if base is None else _positive(base)
    if any(m.codes.shape != base.shape for m in margins):
        raise ValueError("Margins and base weights must speak of the same answers.")
    totals = [m.targets.sum() for m in margins]
    if not np.allclose(totals, totals[0], rtol=1e-9):
        raise ValueError("Margins must add up to the same number of members on the roster.")

    w, passes, error = base * (totals[0] / base.sum()), 0, np.inf
    while passes < max_passes and error > tolerance:
        for m in margins:
            w = w * (m.targets / np.bincount(m.codes, w, m.targets.size))[m.codes]
        passes += 1
        error = _margin_error(margins, w)
    explanation = None
    if error > tolerance:
        explanation = (
            f"Raking did not settle in {passes} passes: the make-up of those who answered cannot be brought to the "
            "roster's on all variables at once. Leave a variable out, or merge its small categories."
        )
    deff, n_eff = kish(w)
    return Weights(
        weights=frozen(w),
        base=frozen(base.copy()),
        margins=tuple(margins),
        passes=passes,
        converged=bool(error <= tolerance),
        margin_error=error,
        deff=deff,
        n_eff=n_eff,
        collapsed=tuple(c for m in margins for c in m.collapsed),
        explanation=explanation,
    )


def trim(weights: Weights, cap: float) -> Weights:
    """The same weights with none above `cap` times their mean; what is cut off goes pro rata to the others.

    Others that this lifts above the cap are cut in their turn, until none is above it. The sum stays; margins are
    then missed by `margin_error`.

    Raises ValueError for a cap below 1: not all weights can be below their mean.

    Source: Potter 1990, Proceedings of the Survey Research Methods Section, ASA; pro rata over the untrimmed.
    """
    if not cap >= 1:
        raise ValueError("The cap is a multiple of the mean weight and must be 1 or more.")
    w = weights.weights.copy()
    total, largest = w.sum(), cap * w.mean()
    over = np.zeros(w.shape, bool)
    # A weight that lands on the cap up to rounding is at the cap, not above it.
    while np.any(new := (w > largest * (1 + 1e-12)) & ~over):
        over |= new
        w[over] = largest
        if not over.all():
            w[~over] *= (total - largest * over.sum()) / w[~over].sum()
    deff, n_eff = kish(w)
    return replace(
        weights,
        weights=frozen(w),
        margin_error=_margin_error(weights.margins, w),
        deff=deff,
        n_eff=n_eff,
        cap=cap,
        trimmed=int(over.sum()),
    )


def weigh(
    answered: Mapping[str, ArrayLike],
    roster: Mapping[str, ArrayLike],
    *,
    cap: float | None,
    crossed: tuple[str, str] = ("role", "locality"),
    raked: Sequence[str] = ("role", "locality", "size"),
    fewest: int = FEWEST,
    largest_factor: float = LARGEST_FACTOR,
) -> Weights:
    """A round's weights: classes, then raking to the roster, then trimming.

    `answered`: each variable's labels among the answers, (n,); `roster`: among the members invited, (N,). The two
    need not be linked. Classes are the two `crossed` variables, with `classes` merging the thin ones; `raked` are
    the margins, in order; `cap` in mean weights, or None for no trimming. Members of a first crossed category
    (role) from which nobody answered are left out of the roster and reported as `uncovered`.

    Raises ValueError where nobody answered, where an answer's category is not on the roster, for ragged or missing
    variables, and for a cap below 1.
    """
    answered = {name: _labels(answered[name]) for name in {*crossed, *raked}}
    roster = {name: _labels(roster[name]) for name in {*crossed, *raked}}
    if len({x.shape for x in answered.values()}) > 1 or len({x.shape for x in roster.values()}) > 1:
        raise ValueError("Every variable must have one label for each answer, and one for each member.")
    if not answered[crossed[0]].size:
        raise ValueError("Nobody answered: there is nothing to weight.")

    present = set(answered[crossed[0]])
    covered = np.array([label in present for label in roster[crossed[0]]], dtype=bool)
    uncovered = tuple(sorted(Counter(roster[crossed[0]][~covered].tolist()).items()))
    roster = {name: labels[covered] for name, labels in roster.items()}

    cells = classes(
        crossed,
        tuple(answered[name] for name in crossed),
        tuple(roster[name] for name in crossed),
        fewest=fewest,
        largest_factor=largest_factor,
    )
    base = post_stratify(cells).weights
    fitted = rake([margin(name, answered[name], roster[name]) for name in raked], base)
    if cap is not None:
        fitted = trim(fitted, cap)
    explanations = [fitted.explanation] if fitted.explanation else []
    if uncovered:
        absent = ", ".join(f"{label} ({count:,})" for label, count in uncovered)
        explanations.append(f"Nobody answered from: {absent}. The weights do not stand for them.")
    answers = np.bincount(cells.codes)
    factor = (cells.targets / answers) / (cells.targets.sum() / answers.sum())
    for fault, text in (
        (answers < fewest, f"Fewer than {fewest} answers stand for all of"),
        (factor > largest_factor, f"Each answer counts over {largest_factor:g} times the usual in"),
    ):
        if fault.any():
            roles = ", ".join(cells.categories[c][0][0] for c in np.flatnonzero(fault))
            explanations.append(f"{text}: {roles}.")
    return replace(
        fitted,
        collapsed=cells.collapsed + fitted.collapsed,
        uncovered=uncovered,
        explanation=" ".join(explanations) or None,
    )


def calibrated(
    weights: Weights | Sequence[Weights],
    practice: ArrayLike,
    cell: ArrayLike,
    y: ArrayLike,
    *,
    cells: int | None = None,
) -> Stack:
    """Weighted shares of all cells and their covariance, clustered on practices, with calibration taken in.

    One row for **each** answer that was weighted, whether or not it has a score on the item: `practice`, (rows,)
    whole numbers; `cell`, 0 to k-1, or -1 for a row outside all cells; `y`, 0 or 1, or a score, NaN where the item
    has none. Several rounds: give their weights in order and their rows one after another; a practice keeps its
    number, so the overlap enters. `cells`: k, where the last may be empty.

    The linearised value of each share is replaced by its residual from a regression on the margins, weighted by the
    base weights: what the margins explain is known from the roster and varies no more. Base weights are taken as
    given. Where few answers share a margin's category, the residuals, and so the variance, come out too small.
    After trimming, or where raking did not converge, approximate (`Weights.approximate`).

    Raises ValueError for arrays of different lengths, cell codes out of range, or a y that is infinite.

    Source: Deville & Särndal 1992, JASA 87, residual variance of calibration estimators; linearisation after
    Binder 1983. Equal to R survey's svymean on a raked or post-stratified design with equal base weights, and on
    one from `calibrate` with any.
    """
    rounds = [weights] if isinstance(weights, Weights) else list(weights)
    practice, cell, y = whole(practice, "practice"), whole(cell, "cell"), np.asarray(y, float)
    w = np.concatenate([r.weights for r in rounds])
    if y.ndim != 1 or not practice.shape == cell.shape == y.shape == w.shape:
        raise ValueError(
            "Give one practice, cell and y for each answer that was weighted, in the same order."
        )
    if np.any(np.isinf(y)):
        raise ValueError("A scored answer must be a number, or NaN where the item has none.")
    k = cells if cells is not None else int(cell.max(initial=-1)) + 1
    if np.any((cell < -1) | (cell >= k)):
        raise ValueError(f"Cell codes must lie between 0 and {k - 1}, or be -1 for none.")

    _, g = np.unique(practice, return_inverse=True)
    m = int(g.max(initial=-1)) + 1
    rows = np.flatnonzero((cell >= 0) & ~np.isnan(y))
    at, score, its_w = cell[rows], y[rows], w[rows]
    total = np.bincount(at, its_w, k)
    with np.errstate(invalid="ignore"):
        shares = np.bincount(at, its_w * score, k) / total
        effective = np.where(total > 0, total**2 / np.bincount(at, its_w**2, k), 0.0)
    z = np.zeros((y.size, k))
    z[rows, at] = (score - shares[at]) / total[at]

    covariance = np.full((k, k), np.nan)
    if m >= 2:
        ends = np.cumsum([r.weights.size for r in rounds])[:-1]
        residuals = np.concatenate(
            [_residuals(r, part) for r, part in zip(rounds, np.split(z, ends), strict=True)]
        )
        influence = np.zeros((m, k))
        np.add.at(influence, g, w[:, None] * residuals)
        influence -= influence.mean(axis=0)
        # Residuals that cancel leave rounding error, which must not pass for a variance.
        influence[np.abs(influence) < 1e-13 * max(1.0, float(np.abs(score).max(initial=0)))] = 0
        covariance = m / (m - 1) * (influence.T @ influence)
    present = np.unique(np.stack([g[rows], at]), axis=1)[1]
    return Stack(
        shares=frozen(shares),
        n=frozen(np.bincount(at, minlength=k)),
        kish=frozen(effective),
        practices=frozen(np.bincount(present, minlength=k)),
        m=m,
        df=max(m - 1, 0),
        covariance=frozen(covariance),
        binary=bool(np.all((score == 0) | (score == 1))),
        explanation=ONE_PRACTICE if m < 2 else None,
    )


def _residuals(weights: Weights, z: np.ndarray) -> np.ndarray:
    """What the margins do not explain of z, (n, k): least squares weighted by the base weights."""
    root = np.sqrt(weights.base)[:, None]
    design = np.concatenate([np.eye(m.targets.size)[m.codes] for m in weights.margins], axis=1)
    # Margins share their sum, so the design is short of full rank; lstsq does not mind.
    fitted = design @ np.linalg.lstsq(design * root, z * root, rcond=None)[0]
    return z - fitted


def _margin_error(margins: Sequence[Margin], w: np.ndarray) -> float:
    return max(
        float(np.max(np.abs(np.bincount(m.codes, w, m.targets.size) / m.targets - 1))) for m in margins
    )


def _counted(name: str, answered, roster) -> tuple[Counter, Counter]:
    members, answers = Counter(roster), Counter(answered)
    if unknown := sorted(answers.keys() - members.keys()):
        raise ValueError(f"Answers from {unknown[0]!r} in {name}, which the roster does not hold.")
    return members, answers


def _labels(labels: ArrayLike) -> np.ndarray:
    """Labels as texts, "" for None."""
    return np.array(
        ["" if label is None else str(label) for label in np.asarray(labels, object)], dtype=object
    )


def _positive(weights: ArrayLike) -> np.ndarray:
    w = np.asarray(weights, float)
    if w.ndim != 1 or not np.all(np.isfinite(w) & (w > 0)):
        raise ValueError("Weights must be a flat list of positive, finite numbers.")
    return w
