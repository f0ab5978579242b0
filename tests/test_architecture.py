"""Rules of the house that no type checker sees."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engagement.config import SETTINGS, Config
from engagement.errors import Invalid
from tests import untrusted_labels

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "pages").glob("*.py"))


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("file", PAGES, ids=lambda path: path.name)
def test_a_page_never_touches_a_table(file):
    """A page imports verbs and drawing, and neither the tables nor what would query them."""
    banned = ("sqlalchemy", "sqlmodel", "engagement.models", "engagement.estimates", "engagement.intake.mix")
    assert not [name for name in _imports(file) if name.startswith(banned)]


@pytest.mark.parametrize(
    "path", [*PAGES, *sorted((ROOT / "engagement" / "ui").glob("*.py"))], ids=lambda path: path.name
)
def test_no_screen_writes_raw_html(path):
    """Nothing is handed to the browser as HTML: what people typed could be in it."""
    text = path.read_text(encoding="utf-8")
    assert "unsafe_allow_html" not in text and not re.search(r"\bst\.html\(", text)


SCREENS = [*PAGES, *sorted((ROOT / "engagement" / "ui").glob("*.py"))]


HELPERS = untrusted_labels.takers(
    {path.stem: path.read_text(encoding="utf-8") for path in SCREENS if path.parent.name == "ui"}
)


@pytest.mark.parametrize("path", SCREENS, ids=lambda path: path.name)
def test_no_label_takes_what_people_typed(path):
    """What reaches a label is fixed words, a number or a date of ours, or has passed the escaper."""
    assert untrusted_labels.faults(path.read_text(encoding="utf-8"), HELPERS) == []


@pytest.mark.parametrize(
    "code",
    [
        "def f(p):\n    for x in people(): st.button(f'Remove {x.name}')",
        "def main():\n    here = current()\n    st.subheader(here.body.name)",
        "def main():\n    name = find().name\n    st.caption('By ' + name)",
        "def main():\n    names = {p.id: p.name for p in find()}\n    st.radio('Who', [1], format_func=names.get)",
        "def main():\n    st.radio('Who', [p.name for p in find()])",
        "def ask(label):\n    st.button(label)\ndef main():\n    ask(find().name)",
        "def ask(label):\n    inner(label)\ndef inner(x):\n    st.button(x)\ndef main():\n    ask(label=find().name)",
        "def main():\n    st.text_input('Name', help=find().note)",
        "def main():\n    left, right = st.columns(2)\n    left.metric('Practice', find().name)",
        "def main():\n    st.success(st.session_state.pop('done'))",
        "def main():\n    st.write(find())",
        "def main():\n    st.tabs([r.title for r in find()])",
        "def main():\n    st.html('x')",
        "def main():\n    st.info('%s' % find().name)",
        "def main():\n    st.info('{}'.format(find().name))",
        "def words():\n    return find().name\ndef main():\n    st.info(words())",
        "def main():\n    for k, v in find().items(): st.markdown(f'**{k}**')",
        "def main():\n    st.sidebar.markdown(find().name)",
    ],
)
def test_the_reading_of_labels_finds_a_slip(code):
    """Each way of letting a typed name into a label is found, also through a helper, a variable or a dictionary."""
    assert untrusted_labels.faults(code)


def test_the_reading_of_labels_follows_helpers_of_other_files():
    """A typed name handed to a helper of another file, which makes a label of it, is found where it is handed over."""
    helpers = untrusted_labels.takers({"tools": "def box(found, label):\n    st.selectbox(label, found)"})
    code = "from engagement.ui import tools\ndef main():\n    tools.box([], find().name)"
    assert untrusted_labels.faults(code, helpers)
    assert untrusted_labels.faults(code.replace("find().name", "safe_md(find().name)"), helpers) == []
    code = "from engagement.ui.tools import box\ndef main():\n    box([], label=find().name)"
    assert untrusted_labels.faults(code, helpers)


@pytest.mark.parametrize(
    "code",
    [
        "def main():\n    st.button(f'Round {round_.number}')",
        "def main():\n    st.subheader(safe_md(here.body.name))",
        "def main():\n    st.text(find().name)",
        "NAMES = {1: 'One'}\ndef main():\n    st.radio('Which', list(NAMES), format_func=NAMES.get)",
        "def main():\n    title = 'New' if find() else 'Old'\n    st.header(title)",
        "def main():\n    st.selectbox('Person', [p.id for p in find()])",
        "def ask(label):\n    st.button(label)\ndef main():\n    ask('Delete it')",
    ],
)
def test_the_reading_of_labels_lets_fixed_words_pass(code):
    """Fixed words, numbers, escaped names, and what Streamlit draws as plain text are no fault."""
    assert untrusted_labels.faults(code) == []


def test_every_setting_is_documented():
    """The README names each setting, and names none that does not exist."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"ENGAGEMENT_[A-Z_]+", text)) - {"ENGAGEMENT_REAL_DATA"}
    assert {name.removesuffix("_FILE") for name in named} == set(SETTINGS)


def test_settings_that_cannot_be_used_are_refused(tmp_path):
    """A wrong value stops the start with words; a value may come from a file."""
    with pytest.raises(Invalid, match="postgresql"):
        Config.load({"ENGAGEMENT_DATABASE_URL": "mysql://x"})
    with pytest.raises(Invalid, match="embedded"):
        Config.load({"ENGAGEMENT_WORKER": "maybe"})
    secret = tmp_path / "url"
    secret.write_text("postgresql://u:p@h/d\n")
    assert (
        Config.load({"ENGAGEMENT_DATABASE_URL_FILE": str(secret)}).database_url
        == "postgresql+psycopg://u:p@h/d"
    )
    assert Config.load({"ENGAGEMENT_PUBLIC_URL": "https://x.example/"}).secure


def test_the_start_waits_for_nothing_heavy():
    """Importing the command line or the worker brings no scientific library with it."""
    code = (
        "import sys, engagement.cli, engagement.worker; "
        "print([m for m in ('scipy', 'sklearn', 'statsmodels', 'altair', 'pandas', 'streamlit') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_no_file_names_a_host_or_a_machine():
    """No committed file names a package index or a path of the machine that it was written on."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    # In pieces, so that this file does not name them either.
    bad = re.compile(
        "|".join(
            ("py" + "pi[.]org", "pythonhos" + "ted", "--(extra-)?" + "index-url [^-]", "--find" + "-links")
        ).encode()
    )
    for name in filter(None, files.decode().split("\0")):
        path = ROOT / name
        if path == Path(__file__) or not path.is_file():
            continue
        assert not bad.search(path.read_bytes()), name
