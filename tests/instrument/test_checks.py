"""What is found in a question's wording."""

from __future__ import annotations

import pytest

from engagement.instrument import bank, checks


def test_the_bank_reads_well_by_its_own_checks():
    """No item of the bank is spoken against, but for the one "and" that joins two parties and not two ideas."""
    found = {item.key: checks.wording(item.text, item.kind) for item in bank.bank().values()}
    assert {key: notes for key, notes in found.items() if notes} == {"meetings": found["meetings"]}
    assert len(found["meetings"]) == 1 and "“and”" in found["meetings"][0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I am informed and listened to.", "two ideas"),
        ("I trust the chair/board.", "two ideas"),
        ("I feel that the {body} has obviously improved.", "leads to one answer"),
        ("I do not trust the {body}.", "double negative"),
        ("I can’t reach the {body}.", "double negative"),
        ("Is the {body} open to me?", "a statement and not a question"),
        ("The {body} is open.", "nobody's own experience"),
        ("I trust Dr Smith.", "names a person"),
        ("I can always reach the {body}.", "single exception"),
        ("I often meet the {body}.", "something else to each reader"),
        ("I " + "really " * 19 + "trust the {body}.", "has 23 words"),
    ],
)
def test_each_fault_is_named_alone(text, said):
    """Each usual fault of a statement is found, and nothing else beside it."""
    (note,) = checks.wording(text)
    assert said in note


def test_an_open_comment_is_asked_as_a_question():
    """Comments may be questions of any shape, as long as they neither lead nor name somebody."""
    assert checks.wording("What should the {body} stop, and what not?", "text") == []
    assert "leads" in checks.wording("What is the most terrible thing?", "text")[0]
