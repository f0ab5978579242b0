"""What a respondent loads from the link to "Thank you": a plain walk through the pages, without a browser."""

from __future__ import annotations

import gzip
import http.client
import re
from dataclasses import dataclass, field
from statistics import median, quantiles
from urllib.parse import urlencode, urljoin, urlsplit

from engagement.bench.result import Result
from engagement.errors import EngagementError

# How many walk, and how many of them are sent back once: they write a comment and do not say how it may be used.
WALKERS, SENT_BACK_EVERY = 40, 5
LEAST = 3
COMMENT = "Tell us what became of what we asked for in spring, and ask us before you decide."


@dataclass
class Walk:
    """One respondent's way: pages seen, bytes as sent and uncompressed, heads of answers included; a file counts once."""

    port: int
    pages: int = 0
    sent: int = 0
    plain: int = 0
    seen: set[str] = field(default_factory=set)

    def open(self, address: str, form: dict[str, str] | None = None) -> str:
        """Go to a page, follow where it leads, load the files that it names; returns the page."""
        status, head, content = self._load(address, form)
        if status == 303:
            return self.open(urljoin(address, head["Location"]))
        self.pages += 1
        page = content.decode()
        for name in re.findall(r'(?:src|href)="([^"#?][^"]*\.(?:css|js)(?:\?[^"]*)?)"', page):
            file = urljoin(address, name.replace("&amp;", "&"))
            if file not in self.seen:
                self.seen.add(file)
                self._load(file, None)
        return page

    def _load(self, address: str, form: dict[str, str] | None) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            parts = urlsplit(address)
            head = {"Accept-Encoding": "gzip", "Accept": "text/html"}
            body = None
            if form is not None:
                body, head["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
            method = "GET" if form is None else "POST"
            connection.request(
                method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, head
            )
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        around = len(str(answer.headers))
        self.sent += around + len(content)
        if answer.headers.get("Content-Encoding") == "gzip":
            content = gzip.decompress(content)
        self.plain += around + len(content)
        return answer.status, answer.headers, content


def walk(port: int, link: str, *, sent_back: bool) -> Walk:
    """Answer through a link, every question, as a member does. Raises `EngagementError` when there is no thank you."""
    way = Walk(port)
    way.open(link)
    page = way.open(f"{link}?page=questions")
    form = {name: "4" for name in re.findall(r'name="(q-[^"]+)"', page)}
    form["idem_key"] = re.search(r'name="idem_key" value="([^"]+)"', page)[1]
    if sent_back:
        comment, choice = (re.search(rf'name="({kind}-[^"]+)"', page)[1] for kind in "tc")
        page = way.open(f"{link}?page=questions", form | {comment: COMMENT})
        if "There is a problem" not in page:
            raise EngagementError("A comment without a word on how it may be used was not sent back.")
        form |= {comment: COMMENT, choice: "theme"}
    if "Thank you" not in way.open(f"{link}?page=questions", form):
        raise EngagementError("The walk through the answer form did not end with a thank you.")
    return way


def run(port: int, links: list[str]) -> list[Result]:
    """Walk once through each link; pages and bytes of the walk in the middle, and of the ninth in ten."""
    ways = [walk(port, link, sent_back=place % SENT_BACK_EVERY == 0) for place, link in enumerate(links)]
    note = (
        f"{len(ways)} walked, every file loaded once each; 1 in {SENT_BACK_EVERY} wrote a comment and was sent back once to "
        "say how it may be used"
    )
    return [
        result
        for which, of in (("median", median), ("90th percentile", _ninth))
        for result in _results(ways, which, of, note)
    ]


def _results(ways: list[Walk], which: str, of, note: str) -> list[Result]:
    tail = "-p90" if of is _ninth else ""
    return [
        Result(
            bench="form",
            name=f"form-walk-pages{tail}",
            what=f"pages from the link to “Thank you”, {which}",
            figure=of([way.pages for way in ways]),
            unit="pages",
            baseline="what is promised, the questions, and the thanks",
            baseline_figure=LEAST,
            note=note,
        ),
        Result(
            bench="form",
            name=f"form-walk-bytes{tail}",
            what=f"bytes as sent from the link to “Thank you”, {which}",
            figure=of([way.sent for way in ways]) / 1000,
            unit="KB",
            baseline="the same, uncompressed",
            baseline_figure=of([way.plain for way in ways]) / 1000,
            note=note,
        ),
    ]


def _ninth(values: list[int]) -> float:
    """The 90th percentile."""
    return quantiles(values, n=10, method="inclusive")[-1]
