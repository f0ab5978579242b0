"""Runs the gate: here, or in a child process that the worker watches.

The child holds nothing but the question it was sent: no database, no keys. It sends back how far it is, and then its
decision. One that takes too long is ended, and then nothing is published.
"""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from engagement import disclosure
from engagement.errors import EngagementError

Progress = Callable[[int, int], None]
# Past this the round is published without figures; a large body of 400 practices takes minutes.
LONGEST = 3 * 60 * 60.0
_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, eq=False)
class Question:
    """What `disclosure.decide` is asked. Exact answers: never for print, never stored."""

    plan: disclosure.Plan
    answers: disclosure.RoundAnswers
    earlier: Sequence[disclosure.Earlier]
    design_effect: float | None
    df: int | None
    further: Mapping[str, Mapping[str, Sequence[Any]]]

    def decide(self, progress: Progress) -> disclosure.Decision:
        """Ask it in this process."""
        return disclosure.decide(
            self.plan,
            self.answers,
            self.earlier,
            design_effect=self.design_effect,
            df=self.df,
            further=self.further,
            progress=lambda step, done, total: progress(done, total),
        )


class Checker(Protocol):
    """Something that asks the gate."""

    def decide(self, question: Question, progress: Progress) -> disclosure.Decision:
        """The gate's decision."""


class Here:
    """Asks in this process."""

    def decide(self, question: Question, progress: Progress) -> disclosure.Decision:
        """The gate's decision."""
        return question.decide(progress)


class Child:
    """Asks a child process, which is started at the first question and serves until `close`."""

    def __init__(self, longest: float = LONGEST):
        self._longest = longest
        self._process: subprocess.Popen | None = None

    def decide(self, question: Question, progress: Progress) -> disclosure.Decision:
        """The gate's decision; one that shows nothing where it took too long.

        Raises `EngagementError` where the child ended without one, as when memory ran out.
        """
        late = threading.Event()
        process = self._running()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._longest, stop)
        timer.start()
        try:
            _send(process.stdin, question)
            while True:
                kind, said = _receive(process.stdout)
                if kind == "decision":
                    return said
                progress(*said)
        except (EOFError, OSError) as ended:
            self.close()
            if late.is_set():
                return disclosure.undecided(question.plan, question.answers, "The check took too long.")
            raise EngagementError(
                "The check of the figures ended before it was done. It is tried again every minute."
            ) from ended
        finally:
            timer.cancel()

    def _running(self) -> subprocess.Popen:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "engagement.releases.checking"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        return self._process

    def close(self) -> None:
        """End the child, if there is one."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()
        self._process = None


def _send(pipe: IO[bytes], thing: object) -> None:
    data = pickle.dumps(thing)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    length = pipe.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        raise EOFError
    data = pipe.read(_LENGTH.unpack(length)[0])
    # Parent and child are one program, and nobody else holds the pipe.
    return pickle.loads(data)  # nosec B301  # noqa: S301


def serve(source: IO[bytes], out: IO[bytes]) -> None:
    """Answer questions until there are no more."""
    while True:
        try:
            question = _receive(source)
        except EOFError:
            return
        decision = question.decide(lambda done, total: _send(out, ("progress", (done, total))))
        _send(out, ("decision", decision))


if __name__ == "__main__":
    # Under the module's own name, for that is where the parent finds `Question`.
    from engagement.releases.checking import serve as _serve

    pipe, sys.stdout = sys.stdout.buffer, sys.stderr
    _serve(sys.stdin.buffer, pipe)
