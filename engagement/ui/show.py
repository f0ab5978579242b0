"""Drawing releases on a page: charts from a cache, tables that cannot carry Markdown, downloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from engagement.access import audit
from engagement.errors import NotFound
from engagement.instrument import references
from engagement.ui import beside, charts
from engagement.ui.safe import safe_md

if TYPE_CHECKING:
    import pandas

_CHARTS = {"trend": charts.trend_chart, "gap": charts.gap_chart}


def theme() -> str | None:
    """ "light" or "dark"."""
    return st.context.theme.type


@st.cache_data(max_entries=300, show_spinner=False)
def _spec(
    kind: str, digest: str, key: str, look: str | None, _history: list, _figures: Sequence
) -> dict[str, Any]:
    from altair.utils.schemapi import debug_mode

    # Releases never change, so the digest of what is drawn is a key that is always right and needs no expiry.
    # Checking every part against Vega-Lite's schema takes most of a chart's time; the tests do that.
    with debug_mode(False):
        if kind == "now":
            drawn = charts.now_chart(_history[-1], key, look)
        else:
            drawn = _CHARTS[kind](_history, key, _figures, look)
        return {} if drawn is None else drawn.to_dict(validate=False)


def chart(kind: str, history: list[Mapping[str, Any]], key: str, alt: str, figures: Sequence = ()) -> bool:
    """Draw the "trend", "gap" or "now" chart of an item with its alternative in words; False where there is none."""
    digest = audit.sha256(
        audit.canonical([history[-1:] if kind == "now" else history, [f.id for f in figures]])
    )
    spec = _spec(kind, digest, key, theme(), history, tuple(figures))
    if not spec:
        return False
    st.vega_lite_chart(spec, theme=None, alt=alt, key=f"chart_{kind}_{key}")
    return True


def groups_chart(by: str, groups: Sequence[tuple[str, Mapping[str, Any]]], key: str) -> None:
    """Draw a breakdown of an item with its alternative in words."""
    spec = charts.groups_chart(groups, theme()).to_dict()
    st.vega_lite_chart(spec, theme=None, alt=charts.groups_alt(groups), key=f"chart_{by}_{key}")


def control_chart(series: beside.Series, rules: str, verdict: str) -> None:
    """Draw a control or run chart of printed figures under its message, with its verdict as its alternative and its
    figures as a table."""
    import pandas as pd

    st.subheader(safe_md(beside.control_headline(series, rules)), anchor=False)
    drawn = charts.control_chart(series, beside.judged(series, rules), theme())
    st.vega_lite_chart(drawn.to_dict(), theme=None, alt=verdict, key="chart_control")
    with st.expander("The figures"):
        figures = [f"{value}{series.unit}" for value in series.values]
        table(
            pd.DataFrame({"Round": [str(n) for n in series.rounds], series.what.capitalize(): figures}),
            alt=f"The {series.what} by round",
        )


def table(frame: pandas.DataFrame, alt: str, *, border: bool | str = "horizontal") -> None:
    """Draw a frame of text as a real HTML table, its headings and cells shown as they are."""
    safe = frame.map(safe_md).rename(columns=safe_md)
    st.table(safe, hide_index=True, border=border, alt=alt)


def figures_for(item: Mapping[str, Any] | None) -> tuple[references.Reference, ...]:
    """Published figures on the questions that this round's wording was said to resemble."""
    found = []
    for question in item.get("parallels", []) if item else []:
        try:
            found.extend(references.for_questions([question]))
        except NotFound:
            # An older release may name a question that the file no longer holds; the rest still stand.
            continue
    return tuple(found)


def note(text: str) -> None:
    """A remark in small type under a heading or chart, its text shown as it is."""
    st.caption(safe_md(text))


def quote(text: str) -> None:
    """A wording as members read it."""
    st.text(f"“{text}”")


def downloads(release_id: int | None, number: int) -> None:
    """Links to a release as files, through the export route that checks and logs."""
    if release_id is None:
        return
    round_name, address = f"Round {number}", f"/export/release/{release_id}"
    with st.container(horizontal=True):
        st.link_button(round_name + ", all files and charts", address + ".zip", icon=":material/folder_zip:")
        st.link_button(round_name + " as CSV", address + ".csv", icon=":material/download:")
        st.link_button(round_name + " as JSON", address + ".json", icon=":material/download:")
