"""First paint and bytes of the answer form, against the same questions as a Streamlit form; and the walk to "Thank you"."""

from __future__ import annotations

import os
import re
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urljoin

from sqlmodel import select

from engagement.bench import ground, served, walk
from engagement.bench.result import Result
from engagement.intake import links
from engagement.models import Round, RoundRoster

SCRIPT = Path(__file__).parent / "form_in_streamlit.py"
PHONE = {"width": 390, "height": 844}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NO_CHROMIUM = "there is no Chromium here, or no Playwright"
PAINT = """() => new Promise(done => {
    setTimeout(() => done(null), 30000);
    const found = performance.getEntriesByName('first-contentful-paint')[0];
    if (found) return done(found.startTime);
    new PerformanceObserver(list => {
        const entry = list.getEntriesByName('first-contentful-paint')[0];
        if (entry) done(entry.startTime);
    }).observe({type: 'paint', buffered: true});
})"""


@dataclass(frozen=True)
class Load:
    """One visit with an empty cache: milliseconds to the first paint and to the first question, bytes, requests."""

    paint: float | None
    ready: float | None
    bytes: int
    requests: int


def run(say, *, repeats=5, members=200, walkers=walk.WALKERS) -> list[Result]:
    """Open both forms in turn, each time in a fresh browser; then answer through links of other members."""
    with ground.folder() as data, ground.installation(data) as (database, keys):
        say("form: launching a round")
        round_id = ground.launch(database, keys, ground.body(database, members))
        with database.reading() as session:
            round_ = session.get(Round, round_id)
            rows = session.exec(
                select(RoundRoster).where(RoundRoster.round_id == round_id).limit(walkers + 1)
            ).all()
        key = keys.link(round_.public_id)
        token, *others = (links.token(key, round_.public_id, row.member_id, row.generation) for row in rows)
        promise = data / "promise.json"
        promise.write_text(round_.promise, encoding="utf-8")
        with served.application(data) as port, served.streamlit_script(SCRIPT, data, str(promise)) as there:
            link = f"http://127.0.0.1:{port}/a/{round_.public_id}/{token}"
            pages = [link, f"{link}?page=questions"]
            say(f"form: {len(others)} members answer")
            walked = walk.run(port, [f"/a/{round_.public_id}/{other}" for other in others])
            streamlit = f"http://127.0.0.1:{there}/"
            browser = _chromium()
            if browser is None:
                say(f"form: {NO_CHROMIUM}; counting bytes only")
                ours, theirs = [_by_http(pages)], [_by_http([streamlit])]
            else:
                ours, theirs = [], []
                for turn in range(repeats):
                    say(f"form: visit {turn + 1} of {repeats}")
                    ours.append(_by_browser(browser, pages))
                    theirs.append(_by_browser(browser, [streamlit]))
    return [*_results(ours, theirs, measured=browser is not None), *walked]


def _results(ours: list[Load], theirs: list[Load], *, measured: bool) -> list[Result]:
    requests = f"{ours[0].requests} requests against {theirs[0].requests}"
    note = (
        requests if measured else f"{requests}; {NO_CHROMIUM}: Streamlit's own later requests are not counted"
    )
    baseline = "the same questions as a Streamlit form"
    found = [
        Result(
            bench="form",
            name="form-bytes",
            what="bytes of the answer form, both pages with all that they load",
            figure=median(load.bytes for load in ours) / 1000,
            unit="KB",
            baseline=baseline,
            baseline_figure=median(load.bytes for load in theirs) / 1000,
            goal="under 20 KB",
            met=median(load.bytes for load in ours) < 20_000,
            note=note,
        )
    ]
    for name, what in (
        ("paint", "first contentful paint of the questions"),
        ("ready", "until the first question is there"),
    ):
        mine = [getattr(load, name) for load in ours if getattr(load, name) is not None]
        other = [getattr(load, name) for load in theirs if getattr(load, name) is not None]
        found.append(
            Result(
                bench="form",
                name=f"form-{name}",
                what=f"{what}, nothing cached",
                figure=median(mine) if mine else None,
                unit="ms",
                baseline=baseline,
                baseline_figure=median(other) if other else None,
                note="" if measured else NO_CHROMIUM,
            )
        )
    return found


def _chromium() -> str | None:
    try:
        import playwright.sync_api  # noqa: F401 - only whether it is there
    except ImportError:
        return None
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def _by_browser(path: str, pages: list[str]) -> Load:
    """Open pages one after another in a fresh browser; times are the last page's, bytes those of all."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            page = browser.new_page(viewport=PHONE)
            wire = page.context.new_cdp_session(page)
            received: list[float] = []
            requests: list[str] = []
            wire.on("Network.requestWillBeSent", lambda event: requests.append(event["requestId"]))
            wire.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
            # A binary frame's payload is in base64, four characters for three bytes.
            wire.on(
                "Network.webSocketFrameReceived",
                lambda event: received.append(len(event["response"]["payloadData"]) * 3 / 4),
            )
            wire.send("Network.enable")
            for address in pages:
                page.goto(address, wait_until="commit")
                paint = page.evaluate(PAINT)
                page.wait_for_load_state("load")
            page.wait_for_selector("input[type=radio]", state="attached", timeout=60_000)
            ready = page.evaluate("() => performance.now()")
            page.wait_for_load_state("networkidle")
            return Load(paint, ready, round(sum(received)), len(requests))
        finally:
            browser.close()


def _by_http(pages: list[str]) -> Load:
    """The bytes of pages and of the files that they name, compressed where the server does that."""
    size, seen = 0, set()
    waiting = list(pages)
    while waiting:
        address = waiting.pop(0)
        if address in seen:
            continue
        seen.add(address)
        request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})  # noqa: S310 - our own
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own address
            content = answer.read()
            size += len(content) + len(str(answer.headers))
            if answer.headers.get("Content-Encoding") == "gzip":
                import gzip

                content = gzip.decompress(content)
        if address in pages:
            named = re.findall(
                r'(?:src|href)="([^"#?][^"]*\.(?:css|js)(?:\?[^"]*)?)"', content.decode("utf-8", "replace")
            )
            waiting += [urljoin(address, name.replace("&amp;", "&")) for name in named]
    return Load(None, None, size, len(seen))
