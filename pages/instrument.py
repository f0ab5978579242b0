"""Instrument: which items a round asks, how they read, and what published questions they parallel."""

from __future__ import annotations

import streamlit as st

from engagement import clock, instrument
from engagement.access import Role
from engagement.council import proposals
from engagement.errors import EngagementError, NotFound
from engagement.instrument import bank, references
from engagement.ui import codesign, frame_tools, steps
from engagement.words import DEFAULTS

DRAFT, PROPOSAL = "instrument_draft", "instrument_proposal"
SOURCES = {"bank": "item bank", "import": "imported with past answers", "own": "added here"}


def _run(here, done, verb, *args, **kwargs) -> None:
    """Call one verb for this body; once it worked, what was begun on the page and not saved is forgotten."""

    def outcome(result) -> str:
        st.session_state.pop(DRAFT, None)
        st.session_state.pop(PROPOSAL, None)
        return done(result) if callable(done) else done

    steps.run(here, outcome, verb, here.body.id, *args, **kwargs)


def _set_up(here, lead: bool) -> None:
    st.text("No items yet. The item bank holds the questions that every body starts with.")
    if lead and st.button("Set up the item bank", type="primary"):
        _run(here, "The item bank is set up.", instrument.seed)


# ── Choose and order ────────────────────────────────────────────────────────────────────────────────────────────


def _draft(here, chosen: instrument.InstrumentView) -> dict:
    """The choice as it stands on this screen: begun anew when the stored one, or the body, is another."""
    begun = (here.body.id, chosen.keys, chosen.headline)
    draft = st.session_state.get(DRAFT)
    if draft is None or draft["begun"] != begun:
        draft = {"begun": begun, "keys": list(chosen.keys), "headline": set(chosen.headline)}
        st.session_state[DRAFT] = draft
    return draft


def _move(key: str, by: int) -> None:
    keys = st.session_state[DRAFT]["keys"]
    at = keys.index(key)
    keys.insert(at + by, keys.pop(at))


def _drop(key: str) -> None:
    draft = st.session_state[DRAFT]
    draft["keys"].remove(key)
    draft["headline"].discard(key)


def _mark(key: str) -> None:
    marked = st.session_state[f"instrument_headline_{key}"]
    headline = st.session_state[DRAFT]["headline"]
    headline.add(key) if marked else headline.discard(key)


def _take() -> None:
    if key := st.session_state.get("instrument_add"):
        st.session_state[DRAFT]["keys"].append(key)
        st.session_state["instrument_add"] = None


def _choose(here, chosen: instrument.InstrumentView, items: dict[str, instrument.ItemView]) -> None:
    draft = _draft(here, chosen)
    keys = draft["keys"]
    closed = sum(items[key].kind != "text" for key in keys)
    st.text(
        f"{closed} of at most {instrument.CLOSED_MAX} closed items, {len(keys) - closed} of at most 1 open comment, "
        f"{len(draft['headline'])} of at most {instrument.HEADLINE_MAX} headline items.\n"
        "Headline items are named before launch as what the round is about; each further one makes a change "
        "in any of them harder to see. Rounds that were launched keep what they asked."
    )
    for place, key in enumerate(keys, start=1):
        item = items[key]
        with st.container(border=True):
            st.text(
                f"{place}. {item.rendered}\n"
                f"{item.name} · {key} · version {item.version} · {bank.KIND_NAMES[item.kind]}"
            )
            with st.container(horizontal=True):
                if item.kind != "text":
                    # Redrawn from the draft at each run, so that an item removed and added again is not marked.
                    st.session_state[f"instrument_headline_{key}"] = key in draft["headline"]
                    st.checkbox(
                        f"Item {place} is a headline item",
                        key=f"instrument_headline_{key}",
                        on_change=_mark,
                        args=(key,),
                    )
                for label, by, off in (("up", -1, place == 1), ("down", 1, place == len(keys))):
                    st.button(
                        f"Move item {place} {label}",
                        key=f"instrument_{label}_{key}",
                        on_click=_move,
                        args=(key, by),
                        disabled=off,
                        type="tertiary",
                        icon=f":material/arrow_{label}ward:",
                    )
                st.button(
                    f"Leave out item {place}",
                    key=f"instrument_drop_{key}",
                    on_click=_drop,
                    args=(key,),
                    disabled=key == "owned",
                    type="tertiary",
                    icon=":material/close:",
                )
    others = [key for key in items if key not in keys]
    if others:
        st.selectbox(
            "Add an item",
            others,
            index=None,
            format_func=lambda key: f"{items[key].rendered} ({items[key].name})",
            key="instrument_add",
        )
        st.button("Add to the end", on_click=_take, key="instrument_take")
    changed = tuple(keys) != chosen.keys or draft["headline"] != set(chosen.headline)
    if changed:
        st.text("This choice is not saved yet.")
    with st.container(horizontal=True):
        save = st.button("Save the choice", type="primary", disabled=not changed, key="instrument_save")
        undo = st.button("Undo all changes", disabled=not changed, key="instrument_undo")
    if save:
        _run(
            here,
            "The choice is saved. The next round asks it.",
            instrument.set_items,
            chosen.id,
            keys,
            sorted(draft["headline"]),
        )
    if undo:
        del st.session_state[DRAFT]
        st.rerun()


# ── Wordings ────────────────────────────────────────────────────────────────────────────────────────────────────


def _pick(label: str, key: str, items: dict[str, instrument.ItemView]) -> instrument.ItemView:
    # Options of a select box are plain text; escaping would show.
    chosen = st.selectbox(
        label, list(items), format_func=lambda name: f"{items[name].name} ({name})", key=key
    )
    return items[chosen]


def _wordings(here, items: dict[str, instrument.ItemView]) -> None:
    item = _pick("Item", "instrument_item", items)
    _history(item)
    proposal = st.session_state.get(PROPOSAL)
    if proposal and proposal["key"] == item.key and proposal["body"] == here.body.id:
        _confirm(here, item, proposal)
        return
    st.subheader("Change the wording")
    st.text(
        "A new wording is a new version, and the item's trend line breaks there: answers to different wordings "
        "are not joined. If only the name of the body changed, change the body's words instead."
    )
    st.text("Words of the body: " + ", ".join(f"{{{word}}} = {here.words[word]}" for word in DEFAULTS))
    with st.form(f"instrument_wording_{item.key}_{item.version}"):
        text = st.text_area("Wording", item.text, max_chars=bank.TEXT_LIMIT)
        choice = None
        if item.kind != "text":
            choice = st.text_input(
                "“Not applicable” choice (leave empty for none)",
                item.not_applicable or "",
                max_chars=bank.NOT_APPLICABLE_LIMIT,
            )
        still, differs = bool(item.parallels), item.differs
        if item.parallels:
            still = st.checkbox(
                "It still asks much the same as the published questions beside it", value=True
            )
            differs = st.text_input("How it differs from them, in one sentence", item.differs, max_chars=500)
        if st.form_submit_button("Compare old and new"):
            try:
                with here.database.reading() as session:
                    old, new = instrument.propose_wording(
                        session, here.actor, here.body.id, item.key, text, not_applicable=choice
                    )
            except EngagementError as error:
                frame_tools.show_error(error)
                return
            st.session_state[PROPOSAL] = {
                "key": item.key,
                "body": here.body.id,
                "text": text,
                "choice": choice,
                "still": still,
                "differs": differs,
                "old": old,
                "new": new,
            }
            st.rerun()


def _confirm(here, item: instrument.ItemView, proposal: dict) -> None:
    old, new = proposal["old"], proposal["new"]
    st.subheader(f"Make version {new.version}?")
    for column, title, wording in zip(
        st.columns(2), (f"Version {old.version}, now", f"Version {new.version}, new"), (old, new), strict=True
    ):
        with column, st.container(border=True):
            st.markdown(f"**{title}**")
            st.text(wording.rendered)
            if wording.not_applicable:
                st.text(f"Not applicable: {wording.not_applicable}")
    warning = instrument.trend_break(old.version, new.version, new.kind)
    st.warning(warning)
    if item.parallels and not proposal["still"]:
        st.text("Published figures will no longer be drawn beside this item.")
    with st.container(horizontal=True):
        yes = st.button(f"Make version {new.version}", type="primary", key="instrument_new_yes")
        no = st.button(f"Keep version {old.version}", key="instrument_new_no")
    if yes:
        _run(
            here,
            lambda result: f"Version {result[0].version} of {item.key} is made. {result[1]}",
            instrument.new_wording,
            item.key,
            proposal["text"],
            not_applicable=proposal["choice"],
            still_parallel=proposal["still"],
            differs=proposal["differs"],
            expected_version=old.version,
        )
    if no:
        del st.session_state[PROPOSAL]
        st.rerun()


def _history(item: instrument.ItemView) -> None:
    import pandas as pd

    versions = list(reversed(item.versions))
    st.dataframe(
        pd.DataFrame(
            {
                "Version": [wording.version for wording in versions],
                "Since": [clock.show_date(wording.created_at) for wording in versions],
                "Wording": [wording.rendered for wording in versions],
                "Not applicable": [wording.not_applicable or "" for wording in versions],
            }
        ),
        hide_index=True,
        alt=f"The versions of {item.key}, newest first: when each began and how it reads.",
    )


def _own(here) -> None:
    st.subheader("Add a question of your own")
    st.text("No published figure stands beside it. It is asked once it is chosen under “Choose and order”.")
    with st.form("instrument_own"):
        key = st.text_input("Key, for files and charts (small letters, digits and underscores)", max_chars=40)
        text = st.text_area("Wording, one idea in an “I” statement", max_chars=bank.TEXT_LIMIT)
        kind = st.radio("Answers", list(bank.KIND_NAMES), format_func=bank.KIND_NAMES.get)
        choice = st.text_input(
            "“Not applicable” choice (leave empty for none)", max_chars=bank.NOT_APPLICABLE_LIMIT
        )
        reverse = st.checkbox("Agreeing is unfavourable")
        if st.form_submit_button("Add the question"):
            _run(
                here,
                f"The question {key} is added.",
                instrument.add_own_item,
                key=key.strip(),
                text=text,
                kind=kind,
                not_applicable=choice,
                reverse=reverse,
            )


# ── Preview and comparison ──────────────────────────────────────────────────────────────────────────────────────


def _preview(form: list[dict]) -> None:
    st.text("How the form reads. Members see it as plain pages that work on any phone.")
    for place, item in enumerate(form, start=1):
        with st.container(border=True):
            st.text(f"{place}. {item['text']}")
            if item["kind"] == "text":
                st.text(item["hint"])
                st.text(f"(a box for up to {item['limit']:,} characters)")
                continue
            choices = [label for _, label in item["labels"]] + [item["dont_know"], item["not_applicable"]]
            st.text("\n".join(f"○ {label}" for label in choices if label))


def _compared(items: dict[str, instrument.ItemView]) -> None:
    item = _pick("Item", "instrument_compared", items)
    st.text(item.rendered)
    st.text(f"From: {SOURCES[item.source]}{', reworded here' if item.reworded else ''}.")
    if item.differs:
        st.text(item.differs)
    figures = references.for_questions(item.parallels)
    if not figures:
        st.text("No published figure is drawn beside it.")
        return
    st.text("Published figures on similar questions. None of them asked this wording.")
    import pandas as pd

    def percent(figure: references.Reference) -> str:
        if figure.percent is None:
            return f"“{figure.quoted}”"
        shown = f"{figure.percent:g}" + (" points" if figure.group == "gap" else "%")
        return shown + (f" ± {figure.half_width:g}" if figure.half_width else "")

    def known(figure: references.Reference) -> str:
        interval = "; interval derived" if figure.half_width and figure.mark == "read" else ""
        return references.MARKS[figure.mark] + interval

    st.dataframe(
        pd.DataFrame(
            {
                "Year": [str(figure.year) for figure in figures],
                "Group": [figure.group_name for figure in figures],
                "Favourable": [percent(figure) for figure in figures],
                "Answers": [
                    f"{'about ' if figure.n_mark == 'derived' else ''}{figure.n:,}"
                    if figure.n
                    else "not known"
                    for figure in figures
                ],
                "Series": [figure.series_name for figure in figures],
                "How we know": [known(figure) for figure in figures],
            }
        ),
        hide_index=True,
        alt=f"{len(figures)} published figures on questions similar to {item.key}.",
    )
    for question in item.parallels:
        of_question = [figure for figure in figures if figure.question == question]
        about = of_question[0]
        notes = [f"{f.year}, {f.group_name}: {f.note}" for f in of_question if f.note]
        with st.container(border=True):
            st.text(
                "\n".join(
                    [
                        about.series_name,
                        f"Asked: {about.asked}.",
                        f"Take care: {about.caveat}",
                        *notes,
                        f"Source: {about.source}.",
                    ]
                )
            )


def main() -> None:
    """Draw the page."""
    st.title("Instrument")
    here = frame_tools.current()
    lead = here.actor.may(here.body.id, Role.LEAD)
    steps.said()
    with frame_tools.calm_errors(), here.database.reading() as session:
        try:
            chosen = instrument.instrument_of(session, here.actor, here.body.id)
        except NotFound:
            here.actor.require(here.body.id, *Role)
            chosen = None
        else:
            items = {item.key: item for item in instrument.items(session, here.actor, here.body.id)}
            form = instrument.rendered(session, here.body.id, chosen.id)
            warnings = instrument.warnings(session, here.body.id, chosen.id)
            proposed = proposals.listed(session, here.actor, here.body.id)
    if chosen is None:
        _set_up(here, lead)
        return
    for warning in warnings:
        with st.container(border=True):
            st.text(f"Before the next round: {warning}")
    if lead and (waiting := sum(each.state == proposals.WAITING for each in proposed)):
        st.text(f"Proposed by the council and waiting for your answer: {waiting}. See “From the council”.")
    names = ["Preview", "Published figures"]
    labels = ["Choose and order", "Wordings", "From the council", *names] if lead else names
    tabs = iter(frame_tools.tabs(labels, "instrument_tabs"))
    if lead:
        with next(tabs):
            _choose(here, chosen, items)
        with next(tabs):
            _wordings(here, items)
            _own(here)
        with next(tabs):
            codesign.lead_section(here, proposed)
    with next(tabs):
        _preview(form)
    with next(tabs):
        _compared(items)


main()
