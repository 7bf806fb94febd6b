"""Settings of the whole process that code can change, each with the way back, as one table."""

import asyncio
import decimal
import gc
import locale
import logging
import mimetypes
import os
import resource
import signal
import socket
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pageworker_runner.interpreter.namespaces import MISSING

SIGNALS = tuple(sorted(each for each in signal.valid_signals() if each < 32 and each not in (9, 19)))
"""Without those for real time, SIGKILL and SIGSTOP."""
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
LIMITS = tuple(sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}))
DECIMAL = ("Emax", "Emin", "capitals", "clamp", "prec", "rounding")


@dataclass(frozen=True)
class Setting:
    """One setting. `read` returns a value that does not change later; `write` sets it again."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def settings(loop: asyncio.AbstractEventLoop) -> list[Setting]:
    """All of them that this process may read: what the kernel forbids here, no module can change."""
    return [each for each in _all(loop) if _is_readable(each)]


def _is_readable(setting: Setting) -> bool:
    try:
        setting.read()
    except OSError:
        return False
    return True


def _all(loop: Any) -> Iterable[Setting]:
    yield Setting("os.environ", lambda: dict(os.environ), _write_environment)
    yield Setting("time.tzname", lambda: (time.tzname, time.timezone), lambda _: time.tzset())
    yield Setting("the working directory", os.getcwd, os.chdir)
    yield Setting("the umask", _umask, os.umask)
    yield Setting(
        "the locale", lambda: locale.setlocale(locale.LC_ALL), lambda old: locale.setlocale(locale.LC_ALL, old)
    )
    yield Setting("signal handlers", lambda: {each: signal.getsignal(each) for each in SIGNALS}, _write_signals)
    yield Setting("signal timers", lambda: [signal.getitimer(each)[1] for each in TIMERS] + [_pending()], _stop_timers)
    yield Setting("the process's limits", lambda: {each: resource.getrlimit(each) for each in LIMITS}, _write_limits)
    yield Setting("the process's priority", lambda: os.getpriority(os.PRIO_PROCESS, 0), _cannot)
    yield Setting("the process's CPUs", lambda: os.sched_getaffinity(0), lambda old: os.sched_setaffinity(0, old))
    yield Setting("warnings", lambda: (list(warnings.filters), warnings.showwarning), _write_warnings)
    yield Setting("logging", _logging, _write_logging)
    yield Setting("decimal.DefaultContext", _decimal, _write_decimal)
    yield Setting("socket.setdefaulttimeout", socket.getdefaulttimeout, socket.setdefaulttimeout)
    yield Setting("sys.path", lambda: list(sys.path), _list_writer(sys.path))
    yield Setting("sys.meta_path", lambda: list(sys.meta_path), _list_writer(sys.meta_path))
    yield Setting("sys.path_hooks", lambda: list(sys.path_hooks), _list_writer(sys.path_hooks))
    yield Setting("sys.argv", lambda: list(sys.argv), _list_writer(sys.argv))
    yield Setting("sys.setrecursionlimit", sys.getrecursionlimit, sys.setrecursionlimit)
    yield Setting("sys.setswitchinterval", sys.getswitchinterval, sys.setswitchinterval)
    yield Setting("sys.set_int_max_str_digits", sys.get_int_max_str_digits, sys.set_int_max_str_digits)
    yield Setting("sys.settrace", sys.gettrace, sys.settrace)
    yield Setting("sys.setprofile", sys.getprofile, sys.setprofile)
    yield Setting("sys.set_asyncgen_hooks", sys.get_asyncgen_hooks, lambda old: sys.set_asyncgen_hooks(*old))
    yield Setting("threading.stack_size", threading.stack_size, threading.stack_size)
    yield Setting("gc", lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug(), list(gc.callbacks)), _write_gc)
    yield Setting("tracemalloc", tracemalloc.is_tracing, lambda _: tracemalloc.stop())
    yield Setting("mimetypes", lambda: dict(mimetypes.types_map), _write_mimetypes)
    yield Setting("asyncio's policy", asyncio.get_event_loop_policy, asyncio.set_event_loop_policy)
    yield Setting("the loop's exception handler", loop.get_exception_handler, loop.set_exception_handler)
    yield Setting("the loop's task factory", loop.get_task_factory, loop.set_task_factory)
    yield Setting("the loop's debug mode", loop.get_debug, loop.set_debug)
    yield Setting("the loop's default executor", lambda: _executor(loop), lambda old: loop.set_default_executor(old[0]))


def fake_modules(known: dict[str, ModuleType]) -> dict[str, object]:
    """Entries of sys.modules that are not what they were in `known`, or are new and come from no import."""
    changed: dict[str, object] = {
        name: sys.modules.get(name, MISSING) for name, module in known.items() if sys.modules.get(name) is not module
    }
    for name in sys.modules.keys() - known.keys():
        # Packages register others under names below their own. No import does that with a name without a dot.
        spec = getattr(sys.modules[name], "__spec__", None)
        if "." not in name and (spec is None or spec.name != name):
            changed[name] = sys.modules[name]
    return changed


def _write_environment(old: dict[str, str]) -> None:
    for name in os.environ.keys() - old.keys():
        del os.environ[name]
    os.environ.update(old)
    time.tzset()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _write_signals(old: dict[signal.Signals, Any]) -> None:
    for number, handler in old.items():
        if signal.getsignal(number) is not handler and handler is not None:
            signal.signal(number, handler)


def _pending() -> bool:
    return any(signal.getitimer(each)[0] for each in TIMERS)


def _stop_timers(_: object) -> None:
    for each in TIMERS:
        signal.setitimer(each, 0)


def _write_limits(old: dict[int, tuple[int, int]]) -> None:
    for kind, (soft, hard) in old.items():
        _, now = resource.getrlimit(kind)
        resource.setrlimit(kind, (soft if now == hard else min(soft, now), now))


def _cannot(_: object) -> None:
    """There is no way back. The comparison that follows finds it changed."""


def _write_warnings(old: tuple[list[Any], Callable[..., None]]) -> None:
    warnings.resetwarnings()
    warnings.filters = old[0]
    warnings.showwarning = old[1]


def _logging() -> dict[str, object]:
    loggers = {"": logging.root, **logging.root.manager.loggerDict}
    found: dict[str, object] = {
        name: (each.level, each.propagate, each.disabled, list(each.handlers), list(each.filters))
        for name, each in loggers.items()
        if isinstance(each, logging.Logger) and not _is_unset(each)
    }
    manager = logging.root.manager
    return {**found, "\0": (manager.disable, logging.getLoggerClass(), logging.getLogRecordFactory())}


def _is_unset(each: logging.Logger) -> bool:
    return not (each.level or each.handlers or each.filters or each.disabled) and each.propagate


def _write_logging(old: dict[str, Any]) -> None:
    disable, kind, factory = old["\0"]
    logging.disable(disable)
    logging.setLoggerClass(kind)
    logging.setLogRecordFactory(factory)
    for name in _logging().keys() | old.keys() - {"\0"}:
        if name == "\0":
            continue
        logger = logging.getLogger(name) if name else logging.root
        level, propagate, disabled, handlers, filters = old.get(name, (logging.NOTSET, True, False, [], []))
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, disabled
        logger.handlers[:], logger.filters[:] = handlers, filters


def _decimal() -> list[Any]:
    context = decimal.DefaultContext
    return [getattr(context, name) for name in DECIMAL] + [dict(context.traps)]


def _write_decimal(old: list[Any]) -> None:
    for name, value in zip(DECIMAL, old, strict=False):
        setattr(decimal.DefaultContext, name, value)
    decimal.DefaultContext.traps.update(old[-1])


def _list_writer(live: list[Any]) -> Callable[[list[Any]], None]:
    def write(old: list[Any]) -> None:
        live[:] = old

    return write


def _write_gc(old: tuple[bool, tuple[int, int, int], int, list[Any]]) -> None:
    (gc.enable if old[0] else gc.disable)()
    gc.set_threshold(*old[1])
    gc.set_debug(old[2])
    gc.callbacks[:] = old[3]


def _write_mimetypes(old: dict[str, str]) -> None:
    mimetypes.types_map.clear()
    mimetypes.types_map.update(old)


def _executor(loop: Any) -> tuple[Any, bool, bool]:
    """A pool that was shut down cannot be used again."""
    pool = vars(loop)["_default_executor"]
    return pool, vars(loop)["_executor_shutdown_called"], pool is not None and vars(pool)["_shutdown"]
