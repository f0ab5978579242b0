"""Asks in words, the balance of asked and given as a chart and a table, and "You said, we did"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

from engagement.asks import ledger, requests
from engagement.asks import you_said as said_done
from engagement.clock import show_date
from engagement.ui import show
from engagement.ui.charts import _dress, style

if TYPE_CHECKING:
    import altair
    import pandas

BAR = 34


def summary(found: Sequence[ledger.Ask], today: date) -> str:
    """ "12 asks: 4 wait for an answer, 1 of them overdue; 3 were agreed to and are not done; 3 are done; 2 were answered no." """
    standing = [ask for ask in found if not ask.withdrawn]
    count = {state: sum(ask.state == state for ask in standing) for state in ledger.STATE_NAMES}
    overdue = sum(ask.overdue(today) for ask in standing)
    parts = [
        f"{count['waiting']} {'waits' if count['waiting'] == 1 else 'wait'} for an answer"
        + (f", {overdue} of them overdue" if overdue else ""),
        f"{count['yes'] + count['part']} agreed to and not done",
        f"{count['done']} done",
        f"{count['no']} answered no",
    ]
    return f"{_many(len(standing), 'ask', 'asks')}: " + "; ".join(parts) + "."


def state_line(ask: ledger.Ask, today: date) -> str:
    """Where an ask stands, with the day that matters."""
    if ask.overdue(today):
        late = (today - ask.answer_by).days
        return f"OVERDUE: an answer was due by {show_date(ask.answer_by)}, {_many(late, 'day', 'days')} ago."
    if ask.state == ledger.WAITING:
        return f"To be answered by {show_date(ask.answer_by)}."
    due = ask.answer.due_on if ask.state in ("yes", "part") else None
    if due is not None and due < today:
        return f"{ledger.STATE_NAMES[ask.state]}. It was to be done by {show_date(due)}."
    return f"{ledger.STATE_NAMES[ask.state]}."


def standing_lines(ask: ledger.Ask, words: Mapping[str, str]) -> list[str]:
    """Who stands behind an ask, who would work on it together, who asks for something alike, who may read it."""
    lines = []
    if ask.backers:
        names = ", ".join(backer.practice for backer in ask.backers)
        lines.append(
            f"Endorsed by {_many(len(ask.backers), words['practice'], words['practices'])}: {names}."
        )
    together = [backer.practice for backer in ask.backers if backer.together]
    if together:
        lines.append(f"Ready to work on it together with {ask.practice}: {', '.join(together)}.")
    if ask.alike:
        alike = "; ".join(f"{like.practice} (“{like.need}”)" for like in ask.alike)
        lines.append(f"Like asks, whose {words['practices']} are offered to work on it together: {alike}.")
    if ask.raised_by:
        lines.append(f"Written by {ask.raised_by}, who agreed that you may know. Nobody else does.")
    if ask.hidden:
        lines.append(f"Taken off the members’ pages: {ask.hidden_why}")
    elif not ask.public:
        lines.append(
            f"Not shown to members: the {words['practice']} wants only the leaders and the {words['council']} to read it."
        )
    return lines


def reads_it(ask: ledger.Ask, words: Mapping[str, str]) -> str:
    """Who will read an answer."""
    if ask.open_to_members:
        return "All members will read it."
    return f"The {words['practice']} that asked, the leaders and the {words['council']} will read it."


def you_said(said: Sequence[said_done.Said], most: int | None = None) -> None:
    """Draw what members said and what was done about it."""
    if not said:
        st.text("Nothing is answered or done yet.")
        return
    for each in said[:most]:
        with st.container(border=True):
            show.note(f"You said{f' ({each.by})' if each.by else ''}")
            st.text(each.said)
            show.note(f"{said_done.WE[each.kind]}, {show_date(each.at)}")
            st.text(each.did)
            if each.rated:
                st.text(
                    f"Rated {each.rated:.1f} of 5 by {_many(each.raters, 'member', 'members')} of those who asked or endorsed."
                )


def balance_rows(
    total: requests.Balance, practices: int, words: Mapping[str, str]
) -> list[tuple[str, str, float]]:
    """What the chart draws: a label, which way it goes, and how many for each practice on average."""
    each = max(practices, 1)
    body = words["body"]
    asked, wanted = f"Asked of the {body}", f"Asked of {words['practices']}"
    return [
        ("Asks raised", asked, total.asked / each),
        ("… answered", asked, total.answered / each),
        ("… done", asked, total.done / each),
        ("Surveys", wanted, total.surveys / each),
        ("Meetings", wanted, total.meetings / each),
        ("Other requests", wanted, total.requests / each),
    ]


def balance_chart(
    total: requests.Balance, practices: int, words: Mapping[str, str], theme: str | None = None
) -> altair.LayerChart:
    """Six bars, each with its label and its number: what is asked each way, for each practice on average."""
    import altair as alt
    import pandas as pd

    look = style(theme)
    rows = balance_rows(total, practices, words)
    frame = pd.DataFrame(rows, columns=["what", "way", "mean"]).assign(
        said=lambda made: made["mean"].map("{:.1f}".format)
    )
    ways = list(dict.fromkeys(frame["way"]))
    y = alt.Y("what:N", sort=[row[0] for row in rows], title=None, axis=alt.Axis(ticks=False, labelLimit=200))
    most = max(frame["mean"].max(), 1) * 1.12
    x = alt.X(
        "mean:Q",
        title=f"For each {words['practice']}, on average",
        scale=alt.Scale(domain=[0, most], nice=False),
        axis=alt.Axis(tickCount=5, format="~f"),
    )
    bars = (
        alt.Chart(frame)
        .mark_bar(height=BAR - 14)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "way:N",
                scale=alt.Scale(domain=ways, range=[look.leader, look.grassroots]),
                legend=alt.Legend(title=None, orient="top", labelLimit=260),
            ),
            tooltip=[alt.Tooltip("what:N", title="What"), alt.Tooltip("said:N", title="On average")],
        )
    )
    numbers = (
        alt.Chart(frame)
        .mark_text(align="left", dx=5, fontSize=13, color=look.ink)
        .encode(x=x, y=y, text="said:N")
    )
    return _dress(alt.layer(bars, numbers), look, BAR * len(rows))


def balance_alt(total: requests.Balance, practices: int, words: Mapping[str, str]) -> str:
    """The chart in words."""
    rows = balance_rows(total, practices, words)
    said = ", ".join(f"{what.removeprefix('… ').lower()} {mean:.1f}" for what, _, mean in rows)
    return f"Bar chart of what is asked each way, for each {words['practice']} on average: {said}."


def asked_sentence(total: requests.Balance, words: Mapping[str, str]) -> str:
    """What became of what was asked of the body, in words."""
    return (
        f"{_many(total.asked, 'ask', 'asks')} of the {words['body']}: {total.answered} answered, {total.done} done, "
        f"{total.waiting} waiting."
    )


def wanted_sentence(total: requests.Balance, practices: int, words: Mapping[str, str]) -> str:
    """What the body asked of a practice, on average, in words."""
    each = max(practices, 1)
    return (
        f"Of each {words['practice']} the {words['body']} asked, on average, {total.surveys / each:.1f} surveys, "
        f"{total.meetings / each:.1f} meetings and {total.requests / each:.1f} other things."
    )


def balance_table(lines: Sequence[requests.Balance], words: Mapping[str, str]) -> pandas.DataFrame:
    """A row for all and one a practice, as text that wraps: a table of eleven columns would have to be scrolled."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                words["practice"].capitalize(): line.practice,
                "Its asks": its_asks(line),
                "Asked of it": f"{line.surveys} surveys, {line.meetings} meetings, {line.requests} other",
                "Given by it": f"{line.came} meetings, {line.given} other",
            }
            for line in (requests.in_all(lines), *lines)
        ]
    )


def its_asks(line: requests.Balance) -> str:
    """ "3: 1 done, 1 no, 1 waiting; endorsed 2"."""
    states = {"done": "done", "yes": "yes", "part": "in part", "no": "no", "waiting": "waiting"}
    parts = [f"{getattr(line, name)} {said}" for name, said in states.items() if getattr(line, name)]
    asked = f"{line.asked}: {', '.join(parts)}" if line.asked else "none"
    return asked + (f"; endorsed {line.endorsed}" if line.endorsed else "")


def _many(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"
