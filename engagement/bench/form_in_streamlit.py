"""The answer form's questions as a Streamlit form, to measure against and for nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import streamlit as st

from engagement.intake.sheet import CHOICES, is_open
from engagement.ui.safe import safe_md


def draw(promise: dict) -> None:
    """Draw the form."""
    st.title("Your answers")
    with st.form("answers"):
        for item in promise["items"]:
            if is_open(item):
                st.text_area(safe_md(item["text"]), max_chars=item.get("limit"))
                st.radio(
                    "If you write something, how may we use it?",
                    list(CHOICES),
                    index=None,
                    format_func=CHOICES.get,
                )
            else:
                labels = [label for _, label in item["labels"]]
                labels += [item[reason] for reason in ("dont_know", "not_applicable") if item.get(reason)]
                st.radio(safe_md(item["text"]), labels, index=None, format_func=safe_md)
        if promise["tier"] == "confidential":
            st.checkbox("My answers may count towards my practice’s position")
        if st.form_submit_button("Send"):
            st.success("Your answers have been received")


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
