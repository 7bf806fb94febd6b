"""Sets the markers `redis`, `browser` and `sandbox` by what a test reaches, so that no test has to name them.

A test reaches the functions and classes that its own code names, those that its fixtures name, and so on through all
code below `tests/` and `bench/`. Where it reaches a provider, it gets the provider's markers. Markers that a test sets
itself stay: they are needed where the program is named by text only (`python -m …`).

While tests run, `watch_programs` refuses to start a program whose marker the test lacks. So a marker that is missing
fails the test at once, and `make unit` holds only tests that need nothing.
"""

import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = (str(ROOT / "tests") + "/", str(ROOT / "bench") + "/")
MARKERS = ("redis", "browser", "sandbox")

PROVIDERS: dict[str, tuple[str, ...]] = {
    "pw_servers.standalone:RedisServer": ("redis",),
    "pw_servers.sentinel:sentinel": ("redis",),
    "bench.fixtures:redis_server": ("redis",),
    "bench.fixtures:browser": ("browser",),
    "bench.worker:started": MARKERS,
    "pw_daemon.worker:DaemonProcess": MARKERS,
    "pw_local_user.host:default_daemon": MARKERS,
    "pw_runner.supervisor:Supervisor": ("browser",),
    "pw_runner.sandboxed:host": ("sandbox",),
    "pw_escape.client:AttackHost": ("sandbox",),
    "pageworker_demo.daemon:running": MARKERS,
    "pageworker_sandbox.launch.start:launch": ("sandbox",),
    "pageworker_sandbox.launch.start:start": ("sandbox",),
    "pageworker_sandbox.launch.gateway:launch_gateway": ("sandbox",),
    "pageworker_sandbox.launch.self_test:verify_host": ("sandbox",),
    "pageworker_sandbox.launch.preflight:survey": ("sandbox", "browser"),
    "pageworker_sandbox.launch.checks:checks": ("sandbox", "browser"),
    "pageworker_runner.browser.driver_cache:write": ("browser",),
    "pageworker_supervisor.redis_client.embedded:EmbeddedRedis": ("redis",),
    "playwright.async_api:async_playwright": ("browser",),
}
"""`module:name` of what starts the real programs, and their markers. What is below a provider is not looked at."""

PROGRAMS = {
    "redis-server": "redis",
    "bwrap": "sandbox",
    "launcher.py": "sandbox",
    "chromium": "browser",
    "chromium-headless-shell": "browser",
    "run-driver": "browser",
}
"""Last part of a word on a command line, and the marker that a test needs to start such a program."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add the markers that are missing."""
    for item in items:
        if isinstance(item, pytest.Function):
            fixtures = (found.func for defined in item._fixtureinfo.name2fixturedefs.values() for found in defined)
            reached = reached_markers(item.function, *fixtures)
            for name in sorted(reached - {mark.name for mark in item.iter_markers()}):
                item.add_marker(name)


def reached_markers(*functions: Any) -> set[str]:
    """The markers of every provider that the functions reach."""
    return set().union(*map(_reached, functions))


@cache
def _reached(function: Any) -> frozenset[str]:
    """Cached: the rows of a parametrized test are one function, and many tests have the same fixtures."""
    todo = [function]
    seen: set[int] = set()
    markers: set[str] = set()
    while todo:
        named = inspect.unwrap(todo.pop())
        if id(named) in seen:
            continue
        seen.add(id(named))
        provided = PROVIDERS.get(f"{named.__module__}:{named.__qualname__}")
        if provided is not None:
            markers.update(provided)
        else:
            todo += references(named)
    return frozenset(markers)


@cache
def references(named: Any) -> tuple[Any, ...]:
    """The functions and classes that code below `tests/` or `bench/` names. Of other code: none."""
    if isinstance(named, type):
        methods = [one for part in vars(named).values() for one in _functions(part)]
        return (*(base for base in named.__bases__ if base is not object), *methods) if _is_ours(named) else ()
    if not isinstance(named, FunctionType) or not named.__code__.co_filename.startswith(FOLDERS):
        return ()
    names = set(_names(named.__code__))
    found = [named.__globals__[name] for name in names if name in named.__globals__]
    found += inspect.getclosurevars(named).nonlocals.values()
    found += [getattr(part, name, None) for part in found if isinstance(part, ModuleType) for name in names]
    return tuple(part for part in found if isinstance(part, FunctionType | type) or hasattr(part, "__wrapped__"))


def _functions(part: Any) -> Iterator[FunctionType]:
    """The functions of one entry of a class."""
    for one in (part, getattr(part, "__func__", None), getattr(part, "fget", None)):
        if one is not None and isinstance(unwrapped := inspect.unwrap(one), FunctionType):
            yield unwrapped


def _is_ours(kind: type) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return file is not None and file.startswith(FOLDERS)


def _names(code: CodeType) -> Iterator[str]:
    """Names that a function and the functions within it use."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _names(part)


class MarkerMissing(Exception):
    """A test starts a program without the marker that says so."""


class ProgramWatch:
    """Compares each program that this process starts with the markers of the running test."""

    def __init__(self) -> None:
        self.markers: set[str] | None = None
        """Of the running test; None between tests."""

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """One event of `sys.audit`. Raises MarkerMissing."""
        if event == "subprocess.Popen" and self.markers is not None:
            self.check([str(word) for word in arguments[1]] if not isinstance(arguments[1], str) else [arguments[1]])

    def check(self, words: Iterable[str]) -> None:
        """Raise MarkerMissing if one of the words names a program whose marker the running test lacks."""
        for word in words:
            marker = PROGRAMS.get(word.rpartition("/")[2])
            if marker is not None and self.markers is not None and marker not in self.markers:
                raise MarkerMissing(
                    f"the test starts {word} without the marker `{marker}`: add the helper that starts it to"
                    f" PROVIDERS in tests/pw_markers.py, or mark the test with `pytest.mark.{marker}`"
                )


WATCH = ProgramWatch()


def pytest_sessionstart() -> None:
    """Watch from now on. An audit hook cannot be removed."""
    sys.addaudithook(WATCH)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """The test's markers count while it runs, its fixtures included."""
    WATCH.markers = {mark.name for mark in item.iter_markers()}
    try:
        return (yield)
    finally:
        WATCH.markers = None
