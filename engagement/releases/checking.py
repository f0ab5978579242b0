"""Runs the gate: here, or in a child process that the worker watches.

The child holds nothing but the question it was sent: no database, no keys. It sends back how far it is, and then its
decision. One that takes too long is ended, and then nothing is published.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import IO, Any, Protocol

from engagement import disclosure
from engagement.errors import EngagementError

Progress = Callable[[int, int], None]
# Past this the round is published without figures; a large body of 400 practices takes minutes.
LONGEST = 3 * 60 * 60.0
# Seconds after which a forked process sees to whether its parent is still there, and a child is given to end by itself.
_LOOK_UP = 2.0
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

    def decide(self, progress: Progress, judges: Callable | None = None) -> disclosure.Decision:
        """Ask it in this process. `judges` as `disclosure.decide` takes it."""
        return disclosure.decide(
            self.plan,
            self.answers,
            self.earlier,
            design_effect=self.design_effect,
            df=self.df,
            further=self.further,
            progress=lambda step, done, total: progress(done, total),
            judges=judges,
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
        except BaseException:
            # A child in the middle of a question would answer the next one with this one's decision.
            self.close()
            raise
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
        with contextlib.suppress(OSError):
            # Without more questions it ends, and its forked processes with it.
            self._process.stdin.close()
        try:
            self._process.wait(_LOOK_UP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
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


class Forks:
    """Judges items at once in forked processes. An item stays with its process, which keeps what it found out about it.

    For a process with one thread only, as the child is.
    """

    def __init__(self, jobs: int):
        self._jobs = jobs
        self._context = multiprocessing.get_context("fork")
        self._refused = self._context.Event()
        self._pipes: list[Connection] = []
        self._processes: list = []

    def __call__(self, judge: Callable) -> Callable[[Any, Sequence[str]], Iterator[tuple[str, str | None]]]:
        """Start the processes; what comes back judges (setting, items)."""
        for _ in range(self._jobs):
            mine, theirs = self._context.Pipe()
            process = self._context.Process(target=self._work, args=(judge, theirs), daemon=True)
            process.start()
            self._pipes.append(mine)
            self._processes.append(process)
        return self._judged

    def _work(self, judge: Callable, pipe: Connection) -> None:
        parent = os.getppid()
        while True:
            while not pipe.poll(_LOOK_UP):
                # The pipe's other end is open in the siblings too, so it does not tell that the parent was killed.
                if os.getppid() != parent:
                    return
            setting, items = pipe.recv()
            for item in items:
                if self._refused.is_set():
                    break
                try:
                    why = judge(setting, item)
                except Exception as problem:
                    pipe.send((item, None, f"{type(problem).__name__}: {problem}"))
                    break
                pipe.send((item, why, None))
                if why:
                    self._refused.set()
            pipe.send(None)

    def _judged(self, setting: Any, items: Sequence[str]) -> Iterator[tuple[str, str | None]]:
        self._refused.clear()
        order = sorted(items)
        for place, pipe in enumerate(self._pipes):
            pipe.send((setting, [item for item in items if order.index(item) % self._jobs == place]))
        waiting, refused, problem = set(self._pipes), None, None
        while waiting:
            for pipe in wait(list(waiting)):
                said = pipe.recv()
                if said is None:
                    waiting.discard(pipe)
                    continue
                item, why, trouble = said
                problem = problem or trouble
                if why or trouble:
                    self._refused.set()
                    refused = refused or (item, why)
                elif refused is None:
                    yield item, None
        if problem:
            raise RuntimeError(problem)
        if refused:
            yield refused

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.join()


def serve(source: IO[bytes], out: IO[bytes]) -> None:
    """Answer questions until there are no more."""
    while True:
        try:
            question = _receive(source)
        except EOFError:
            return
        forks = Forks(os.cpu_count() or 1)
        try:
            decision = question.decide(lambda done, total: _send(out, ("progress", (done, total))), forks)
        finally:
            forks.close()
        _send(out, ("decision", decision))


def main() -> None:
    """Serve on standard input and output."""
    # The solver may print where no Python is asked: what is printed must not get among the replies.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    # Under the module's own name, for that is where the parent finds `Question`.
    from engagement.releases import checking

    checking.main()
