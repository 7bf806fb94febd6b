"""The test's client of an attack host."""

import json
import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from pw_sandbox import gone

from pageworker_sandbox.launch import procfs
from pw_escape import groups, places
from pw_escape.attack import StartedBy
from pw_escape.runs import AttackRun

ANSWER_SECONDS = 110.0
GONE_SECONDS = 10.0
Key = tuple[str, frozenset[str]]


@dataclass(frozen=True)
class End:
    """The outcome of an attack. `kind` is empty if it succeeded; otherwise an errno, error type or signal."""

    kind: str
    text: str


class AttackHost:
    """One process that runs attacks, one after the other, in the order of the requests."""

    def __init__(self, mode: StartedBy, folder: Path, wanted: Iterable[AttackRun]) -> None:
        self._process = places.start(mode, ["-m", "pw_escape.server", str(places.WORLD / "world")], folder)
        self._mode = mode
        self._lock = threading.Lock()
        self._asked: dict[Key, Future[End]] = {}
        self._waiting: deque[Future[End]] = deque()
        self._questions: deque[AttackRun | None] = deque()
        self._new = threading.Semaphore(0)
        for run in wanted:
            if run.mode is mode:
                self._enqueue(run)
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def end(self, run: AttackRun) -> End:
        """The outcome of a run. Raises TimeoutError, EOFError."""
        with self._lock:
            future = self._enqueue(run)
        return future.result(ANSWER_SECONDS)

    def close(self) -> None:
        """End the process and everything in its pid namespace."""
        with self._lock:
            self._questions.clear()
            self._questions.append(None)
        self._new.release()
        # It may be running an attack. All its processes are in its pid namespace, which ends with it.
        tree = gone.watch(procfs.tree(self._process.pid))
        self._process.kill()
        self._process.wait()
        gone.left(tree, GONE_SECONDS)
        groups.remove(places.group(self._mode))
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    @staticmethod
    def _key(run: AttackRun) -> Key:
        return run.attack.name, run.without

    def _enqueue(self, run: AttackRun) -> Future[End]:
        key = self._key(run)
        if key not in self._asked:
            self._asked[key] = Future()
            self._waiting.append(self._asked[key])
            self._questions.append(run)
            self._new.release()
        return self._asked[key]

    def _write(self) -> None:
        assert self._process.stdin is not None
        while self._new.acquire():
            with self._lock:
                run = self._questions.popleft()
            try:
                if run is None:
                    self._process.stdin.close()
                    return
                self._process.stdin.write(json.dumps(_question(run)) + "\n")
                self._process.stdin.flush()
            except OSError:
                return

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._lock:
                future = self._waiting.popleft()
            future.set_result(End(**json.loads(line)))
        with self._lock:
            for future in self._waiting:
                future.set_exception(EOFError("the attack host has ended"))


def _question(run: AttackRun) -> dict[str, object]:
    attack = run.attack
    return {
        "place": attack.place.value,
        "before": attack.before,
        "code": attack.code,
        "without": sorted(run.without),
    }
