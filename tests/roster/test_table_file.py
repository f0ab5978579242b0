"""Files that others wrote: encodings, marks, limits and broken lines each get one clear line."""

from __future__ import annotations

import codecs
import io

import pytest

from engagement.roster.examples import as_csv
from engagement.roster.preview import MOST_REFUSALS
from engagement.roster.table_file import COMMAND_LINE, Limits, inspect, opened
from engagement.roster.text import clean, formula_start, parse_date, safe_cell, slug

HEAD = b"practice_id,name\n"


@pytest.fixture(params=["sqlite"])
def config(request, config):
    """Reading files is the same on both databases: one will do."""
    return config


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 0, "is empty"),
        (HEAD, 1, "no rows"),
        (codecs.BOM_UTF16_LE + "practice_id,name\nP1,A\n".encode("utf-16-le"), 1, "UTF-16"),
        (codecs.BOM_UTF16_BE + "practice_id,name\nP1,A\n".encode("utf-16-be"), 1, "UTF-16"),
        ("practice_id,name\nP1,A\n".encode("utf-16-le"), 1, "NUL"),
        (HEAD + b"P1,A\nP2,B\0C\n", 3, "NUL"),
        (b"PK\x03\x04rest", 1, "workbook"),
        (HEAD + b"P1,A\nP2,\x81\x9d\n", 3, "neither UTF-8 nor Windows-1252"),
        (HEAD + b'P1,A\nP2,"never closed\nP3,C\n', 3, "quotation marks"),
        (HEAD + b'P1,A\nP2,"a"b\n', 3, "quotation marks"),
        (HEAD + b"P1,A\nP2\n", 3, "has 1 fields where the first line has 2"),
        (HEAD + b"P1,A\nP2,Smith, Jones\n", 3, "has 3 fields"),
        (HEAD + b"P1,A\nP2," + b"x" * 70_000 + b"\n", 3, "longer than 64 KB"),
        (HEAD + b"P1,A\nP2," + b"x" * 200_000 + b"\n", 3, "longer than 64 KB"),
        (b"practice_id;name\nP1;A\n", 1, "not separated by commas"),
        (b"practice_id\tname\nP1\tA\n", 1, "not separated by commas"),
        (b"practice_id,nom\nP1,A\n", 1, 'no column "name"'),
        (b"practice_id,name,name\nP1,A,B\n", 1, "there twice"),
        (b"practice_id,name,=x\nP1,A,B\n", 1, "starts with a sign"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_what_to_do(desk, content, line, says):
    """Each fault is one refused line that names the file, the line number and the remedy."""
    preview = desk.practices(content)
    found = [x for x in preview.lines if x.what == "refuse"]
    assert [(x.number, says in x.detail) for x in found] == [(line, True)]
    (text,) = preview.refused
    assert text.startswith("practices.csv, line " if line else "practices.csv: ")
    assert ";" in text or "save" in text


def test_marks_and_line_ends_do_not_matter(desk):
    """UTF-8 with a mark, Windows and old Mac line ends, blank lines and quoted line breaks all read the same."""
    plain = "practice_id,name\nP1,Café Surgery\nP2,Søndre\n".encode()
    for content in (
        plain,
        codecs.BOM_UTF8 + plain,
        plain.replace(b"\n", b"\r\n"),
        plain.replace(b"\n", b"\r"),
        plain.replace(b"\n", b"\n\n"),
        plain.replace(b"Caf\xc3\xa9 Surgery", b'"Caf\xc3\xa9\nSurgery"'),
        plain.replace(b"practice_id,name", b"Practice ID, NAME "),
    ):
        preview = desk.practices(content)
        assert [(x.what, x.key, x.label) for x in preview.lines] == [
            ("add", "P1", "Café Surgery"),
            ("add", "P2", "Søndre"),
        ]


def test_windows_1252_is_read_and_said_so(desk):
    """A file that is not UTF-8 is read as Windows-1252, with a note at the first line that shows it."""
    preview = desk.practices("practice_id,name\nP1,Plain\nP2,Café – “Søndre”\n".encode("cp1252"))
    assert [(x.number, x.what, x.label) for x in preview.lines] == [
        (3, "note", ""),
        (2, "add", "Plain"),
        (3, "add", "Café – “Søndre”"),
    ]
    assert "Windows-1252" in preview.notes[0]


def test_letters_cut_by_a_chunk_are_still_utf8(monkeypatch):
    """A character that straddles two reads is not mistaken for another encoding; a truncated one is."""
    monkeypatch.setattr("engagement.roster.table_file.CHUNK", 3)
    assert inspect(io.BytesIO("a,b\nxé,ü\n".encode()), COMMAND_LINE).encoding == "utf-8-sig"
    source = inspect(io.BytesIO("ab\ncd\né".encode()[:-1]), COMMAND_LINE)
    assert (source.encoding, source.note[0]) == ("cp1252", 3)


def test_line_numbers_count_lines_of_the_file(desk):
    """After a field with a line break, a fault still carries the number that an editor shows."""
    preview = desk.practices(HEAD + b'P1,"two\nlines"\n\nP2,=SUM(A1)\n')
    assert [x.number for x in preview.lines if x.what == "refuse"] == [5]


def test_limits_are_kept(desk):
    """Too many bytes and too many rows are refused with what to do instead."""
    content = HEAD + b"".join(b"P%d,Name\n" % n for n in range(50))
    small = desk.practices(content, limits=Limits(bytes=100, rows=10))
    assert "larger than 0 MB; split it, or ask the operator" in small.refused[0]
    rows = desk.practices(content, limits=Limits(bytes=10_000, rows=10))
    assert "line 12: the file has more than 10 rows" in rows.refused[-1]
    assert desk.practices(content, limits=Limits(bytes=10_000, rows=50)).refused == []


def test_a_hopeless_file_stops_being_read(desk):
    """Thousands of the same fault are not all listed."""
    preview = desk.practices(HEAD + b"P1,=x\n" * (MOST_REFUSALS + 500))
    assert preview.counts["refuse"] == MOST_REFUSALS
    assert "reading stopped here" in preview.notes[-1]


def test_a_stream_that_cannot_be_rewound_is_read(desk):
    """A pipe works as a file does, and a path as bytes do."""

    class Pipe(io.RawIOBase):
        def __init__(self, data):
            self.data = io.BytesIO(data)

        def seekable(self):
            return False

        def read(self, n=-1):
            return self.data.read(n)

    with opened(Pipe(b"abc")) as stream:
        assert stream.read() == b"abc"
        stream.seek(0)
        assert stream.read() == b"abc"
    assert desk.practices(Pipe(HEAD + b"P1,A\n")).counts["add"] == 1


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  two   spaces ", "two spaces"),
        ("a\tb\nc", "a b c"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("right\u202eleft\u2066x", "rightleftx"),
        ("bell\x07null\x00", "bellnull"),
        ("e\u0301", "é"),
        ("👩\u200d⚕", "👩\u200d⚕"),
        ("no\u00a0break", "no break"),
    ],
)
def test_invisible_characters_are_dropped(raw, cleaned):
    """Controls, direction overrides and zero-width characters go; what joins an emoji stays."""
    assert clean(raw) == cleaned


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-2+A1", "@SUM(1)", "＝1", "-", "+A1"])
def test_formulas_are_seen(text):
    """Text that a spreadsheet would run is found, full-width signs too, and made safe in files we write."""
    assert formula_start(text) in ("=", "+", "-", "@")
    assert f'"\'{text}"'.encode() in as_csv([[text]])


@pytest.mark.parametrize("text", ["", "Dr = X", "-1.5", "+44 1642 672351", "1e-3", "St John's", "Østre"])
def test_plain_text_and_numbers_are_no_formulas(text):
    """Numbers with a sign and signs inside a text are taken as they are."""
    assert formula_start(text) is None


@pytest.mark.parametrize("text", ["\u200b=1", "\u202e=1", " \ufeff@x", "|x", "%x"])
def test_a_formula_cannot_hide_behind_invisible_characters(text):
    """Cells that we write are checked after the invisible characters are set aside."""
    assert safe_cell(text).startswith("'")


@pytest.mark.parametrize("text", ["2026-08-06", "20260806", "6/8/2026", "06/08/2026", "2026-08-06 00:00:00"])
def test_dates_are_read_day_first(text):
    """The ways that files write a date give the same day."""
    assert parse_date(text).isoformat() == "2026-08-06"


@pytest.mark.parametrize(
    "text", ["2026-02-30", "12/31/2026", "6.8.26", "yesterday", "0001-01-01", "20261301", "44000"]
)
def test_what_is_no_date_says_how_to_write_one(text):
    """A date that does not exist, or in another order, is refused with the form to use."""
    with pytest.raises(ValueError, match=r"write it as|correct the year"):
        parse_date(text)


def test_roles_are_matched_however_they_are_written():
    """ "GP Partner", "gp_partner" and "GP-partner" are one role."""
    assert {slug(text) for text in ("GP Partner", "gp_partner", " GP-partner ")} == {"gp_partner"}
