"""Reading a CSV file that somebody else wrote: its encoding, its limits, its lines.

Nothing here knows what the columns mean. Faults are `Fault`s with a line number, never a stack trace.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """How much a file may hold: bytes in all, rows, and bytes in one field."""

    bytes: int
    rows: int
    field: int = 64 * 1024


BROWSER = Limits(bytes=10 * 1024 * 1024, rows=50_000)
COMMAND_LINE = Limits(bytes=500 * 1024 * 1024, rows=5_000_000)


class Fault(Exception):
    """The file cannot be read on from this line (0: the file as a whole)."""

    def __init__(self, line: int, detail: str):
        super().__init__(detail)
        self.line = line
        self.detail = detail


@dataclass(frozen=True)
class Source:
    """A file that can be read: its bytes, how they are encoded, and what a person should know of that."""

    stream: BinaryIO
    encoding: str
    sha256: str
    note: tuple[int, str] | None

    def rows(self, limits: Limits) -> Iterator[tuple[int, list[str]]]:
        """Every record that is not blank, with the number of the line on which it starts.

        Raises `Fault` for broken quotes, for too many rows and for a field that is too long.
        """
        self.stream.seek(0)
        text = io.TextIOWrapper(_Unclosed(self.stream), encoding=self.encoding, newline="")
        reader = csv.reader(text, strict=True)
        count, start = 0, 1
        try:
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    if "limit" in str(error):
                        raise Fault(start, _too_long(limits)) from None
                    raise Fault(
                        start,
                        "the quotation marks do not pair up; put a field with a comma or a quotation mark in it "
                        'between "quotes" and double the marks inside',
                    ) from None
                line, start = start, reader.line_num + 1
                if not any(row):
                    continue
                count += 1
                if count > limits.rows + 1:  # the column titles are no row
                    raise Fault(line, f"the file has more than {limits.rows:,} rows; {_smaller(limits)}")
                if any(len(field) * 4 > limits.field and len(field.encode()) > limits.field for field in row):
                    raise Fault(line, _too_long(limits))
                yield line, row
        finally:
            text.detach()


class _Unclosed(io.RawIOBase):
    """Reads from a stream that the caller goes on owning."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _too_long(limits: Limits) -> str:
    return f"a field is longer than {limits.field // 1024} KB; shorten it, or close its quotation marks"


def _smaller(limits: Limits) -> str:
    if limits.bytes <= BROWSER.bytes:
        return "split it, or ask the operator of the server to import it at the command line"
    return "split it"


@contextmanager
def opened(file: BinaryIO | bytes | str | Path) -> Iterator[BinaryIO]:
    """A file as a stream that can be read twice, whatever it was given as."""
    if isinstance(file, bytes):
        yield io.BytesIO(file)
    elif isinstance(file, (str, Path)):
        with open(file, "rb") as stream:
            yield stream
    elif file.seekable():
        file.seek(0)
        yield file
    else:
        with tempfile.SpooledTemporaryFile(max_size=8 * CHUNK) as spool:
            while data := file.read(CHUNK):
                spool.write(data)
                if spool.tell() > COMMAND_LINE.bytes:
                    break
            spool.seek(0)
            yield spool


def inspect(stream: BinaryIO, limits: Limits) -> Source:
    """Read the bytes once: check their number, find their encoding. Raises `Fault` for what is not a text file."""
    digest = hashlib.sha256()
    utf8 = codecs.getincrementaldecoder("utf-8")()
    not_utf8: int | None = None
    size, newlines = 0, 0
    first = True
    stream.seek(0)
    while data := stream.read(CHUNK):
        if first and data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise Fault(
                1, 'the file is in UTF-16, which spreadsheets call "Unicode text"; save it as "CSV UTF-8"'
            )
        if first and data[:4] in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0"):
            raise Fault(1, 'this is a workbook, not a CSV file; save the sheet as "CSV UTF-8"')
        first = False
        size += len(data)
        if size > limits.bytes:
            raise Fault(0, f"the file is larger than {limits.bytes // (1024 * 1024)} MB; {_smaller(limits)}")
        if (at := data.find(b"\0")) >= 0:
            line = newlines + data.count(b"\n", 0, at) + 1
            raise Fault(
                line, 'the line holds a NUL byte, so this is not plain text; save the file as "CSV UTF-8"'
            )
        digest.update(data)
        if not_utf8 is None:
            pending = len(utf8.getstate()[0])
            try:
                utf8.decode(data)
            except UnicodeDecodeError as error:
                not_utf8 = newlines + data.count(b"\n", 0, max(error.start - pending, 0)) + 1
        newlines += data.count(b"\n")
    if size == 0:
        raise Fault(0, "the file is empty; choose the file that holds the rows")
    if not_utf8 is None and utf8.getstate()[0]:
        not_utf8 = newlines + 1
    if not_utf8 is None:
        return Source(stream, "utf-8-sig", digest.hexdigest(), None)
    _check_windows(stream)
    note = (
        not_utf8,
        "the line is not UTF-8, so the file was read as Windows-1252; check that accented letters look right below",
    )
    return Source(stream, "cp1252", digest.hexdigest(), note)


def _check_windows(stream: BinaryIO) -> None:
    """Raise `Fault` at the first byte that Windows-1252 does not define either."""
    newlines = 0
    stream.seek(0)
    while data := stream.read(CHUNK):
        try:
            data.decode("cp1252")
        except UnicodeDecodeError as error:
            line = newlines + data.count(b"\n", 0, error.start) + 1
            raise Fault(
                line, 'the line is neither UTF-8 nor Windows-1252; save the file as "CSV UTF-8"'
            ) from None
        newlines += data.count(b"\n")
