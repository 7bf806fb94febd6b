"""Which threads and calls of thread pools an attempt has started, so that none outlives its attempt unseen.

A thread cannot be cancelled. One that goes on takes the interpreter's lock from the jobs that come after it, and may
use a page that is theirs by then. So threads are joined when their attempt ends, and the runner learns which live on.

An idle thread of a pool does not count: `asyncio.to_thread` keeps its threads for the next call. What counts in a pool
is the call. Threads and calls inherit the attempt of the code that starts them, as tasks do (task_ownership.py).
"""

import _thread
import asyncio
import contextvars
import ctypes
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pageworker_runner.task_ownership import CURRENT_ATTEMPT, OWN_WORK

IN_POOL: contextvars.ContextVar[bool] = contextvars.ContextVar("in_pool", default=False)
"""True while a pool starts its own threads."""


class AttemptOver(SystemExit):
    """Raised in a thread that outlives its attempt."""


@dataclass(eq=False)
class AttemptThread:
    """A thread, or a call in a thread of a pool."""

    name: str
    ident: int | None = None
    """None until it runs."""
    call: Future[Any] | None = None
    """What tells a pool to forget a call that does not run yet."""


@dataclass
class _Running:
    left: set[AttemptThread] = field(default_factory=set)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever one of them ends."""


class Threads:
    """The threads and the pools' calls of all attempts that run."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Threads add and remove themselves.
        self._lock = threading.Lock()
        self._of_attempts: dict[str, _Running] = {}

    def install(self) -> None:
        """Have every thread and every call of a pool start through this object, for the rest of the process."""
        start, submit, start_new = threading.Thread.start, ThreadPoolExecutor.submit, _thread.start_new_thread

        def start_thread(thread: threading.Thread) -> None:
            if (attempt_id := _owner()) is None or IN_POOL.get():
                return start(thread)
            own = self._add(attempt_id, AttemptThread(thread.name))
            # An attribute of the instance hides the method.
            vars(thread)["run"] = partial(self._run, attempt_id, own, thread.run)
            try:
                return start(thread)
            except BaseException:
                self._remove(attempt_id, own)
                raise

        def submit_call(
            pool: ThreadPoolExecutor, /, call: Callable[..., Any], *given: Any, **named: Any
        ) -> Future[Any]:
            attempt_id = _owner()
            token = IN_POOL.set(True)
            try:
                if attempt_id is None:
                    return submit(pool, call, *given, **named)
                own = self._add(attempt_id, AttemptThread(f"a call of {_name_of(call)} in a pool"))
                try:
                    own.call = submit(pool, self._run, attempt_id, own, call, *given, **named)
                except BaseException:
                    self._remove(attempt_id, own)
                    raise
                own.call.add_done_callback(lambda _: self._remove(attempt_id, own))
                return own.call
            finally:
                IN_POOL.reset(token)

        def start_function(call: Callable[..., Any], given: Any, named: Any = None, /) -> int:
            if (attempt_id := _owner()) is None:
                return start_new(call, given, named or {})
            own = self._add(attempt_id, AttemptThread(f"a thread of {_name_of(call)}"))
            try:
                return start_new(partial(self._run, attempt_id, own, call), given, named or {})
            except BaseException:
                self._remove(attempt_id, own)
                raise

        setattr(threading.Thread, "start", start_thread)  # noqa: B010 - mypy refuses to assign to a method
        setattr(ThreadPoolExecutor, "submit", submit_call)  # noqa: B010 - as above
        vars(_thread).update(start_new_thread=start_function, start_new=start_function)

    def begin(self, attempt_id: str) -> None:
        """Start to track the threads of an attempt."""
        self._of_attempts[attempt_id] = _Running()

    def any_left(self, attempt_id: str) -> bool:
        """Whether the attempt has threads or calls that run, or wait for a thread."""
        return bool(self._left(self._of_attempts[attempt_id]))

    async def end(self, attempt_id: str, grace_seconds: float) -> list[str]:
        """Wait for the threads that an attempt has left. Returns the names of those that do not end.

        These are made to raise AttemptOver: it ends loops, so that they take no time from other attempts. A thread that
        waits for something does not notice.
        """
        running = self._of_attempts.get(attempt_id)
        if running is None:
            return []
        for each in self._left(running):
            if each.call is not None:
                each.call.cancel()
        try:
            async with asyncio.timeout(grace_seconds):
                while self._left(running):
                    running.ended.clear()
                    if self._left(running):
                        await running.ended.wait()
        except TimeoutError:
            pass
        with self._lock:
            del self._of_attempts[attempt_id]
            left = list(running.left)
        for each in left:
            if each.ident is not None:
                _raise_in(each.ident)
        return sorted(each.name for each in left)

    def _left(self, running: _Running) -> list[AttemptThread]:
        with self._lock:
            return list(running.left)

    def _add(self, attempt_id: str, own: AttemptThread) -> AttemptThread:
        with self._lock:
            running = self._of_attempts.get(attempt_id)
            if running is None:
                raise RuntimeError(f"{own.name} cannot start: its attempt has ended")
            running.left.add(own)
        return own

    def _remove(self, attempt_id: str, own: AttemptThread) -> None:
        with self._lock:
            running = self._of_attempts.get(attempt_id)
            if running is None or own not in running.left:
                return
            running.left.discard(own)
        self._loop.call_soon_threadsafe(running.ended.set)

    def _run(self, attempt_id: str, own: AttemptThread, call: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
        own.ident = threading.get_ident()
        token = CURRENT_ATTEMPT.set(attempt_id)
        try:
            return call(*given, **named)
        except AttemptOver:
            return None
        finally:
            CURRENT_ATTEMPT.reset(token)
            own.ident = None
            self._remove(attempt_id, own)


def _owner() -> str | None:
    """The attempt whose code starts a thread now. None: the runner does."""
    return None if OWN_WORK.get() else CURRENT_ATTEMPT.get()


def _name_of(call: Callable[..., Any]) -> str:
    # asyncio.to_thread passes the function behind a partial of a context's `run`.
    while isinstance(call, partial):
        call = next((each for each in call.args if callable(each)), call.func)
    return getattr(call, "__qualname__", type(call).__name__)


def _raise_in(ident: int) -> None:
    """Source: docs.python.org, C API, PyThreadState_SetAsyncExc."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(AttemptOver))
