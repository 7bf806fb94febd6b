"""The table of `pw_markers` names what exists, and tests get the markers of what they reach."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pw_servers
import pytest
from pw_doubles import any_typed
from pw_markers import MARKERS, PROVIDERS, MarkerMissing, ProgramWatch, reached_markers
from pw_parallel import APART, LONG, SHARED, TOGETHER, group_of, pytest_collection_modifyitems, takes_last
from pw_servers import redis_server

from repository.sources import ROOT


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_exists_under_the_name_that_it_reports(provider: str) -> None:
    module, _, name = provider.partition(":")
    found = getattr(import_module(module), name)
    assert f"{found.__module__}:{found.__qualname__}" == provider


def test_providers_give_known_markers_only() -> None:
    assert {marker for markers in PROVIDERS.values() for marker in markers} == set(MARKERS)


@contextmanager
def wrapped() -> Iterator[None]:
    with redis_server():
        yield


class Helper:
    @property
    def server(self) -> pw_servers.RedisServer:
        return pw_servers.RedisServer([])


class Heir(Helper):
    """It has the helper's methods."""


def through_a_wrapped_helper() -> None:
    with wrapped():
        pass


def through_a_module() -> None:
    pw_servers.redis_server()


def through_a_class_and_a_nested_function() -> None:
    def nested() -> None:
        Heir()

    nested()


def through_nothing() -> None:
    Path("redis-server").exists()


@pytest.mark.parametrize(
    ("function", "markers"),
    [
        (through_a_wrapped_helper, {"redis"}),
        (through_a_module, {"redis"}),
        (through_a_class_and_a_nested_function, {"redis"}),
        (through_nothing, set()),
    ],
)
def test_a_function_has_the_markers_of_what_it_reaches(function: Callable[[], None], markers: set[str]) -> None:
    assert reached_markers(function) == markers


@pytest.mark.parametrize("markers", [(), ("browser", "sandbox")])
def test_a_program_without_its_marker_is_refused(markers: tuple[str, ...]) -> None:
    watch = ProgramWatch()
    watch.markers = set(markers)
    with pytest.raises(MarkerMissing, match=r"pytest\.mark\.redis"):
        watch.check(["/usr/bin/redis-server", "--port", "1"])


def test_a_program_with_its_marker_is_started() -> None:
    watch = ProgramWatch()
    watch.markers = {"redis"}
    watch.check(["redis-server"])
    watch.check(["python", "-c", "the chromium of a text"])


@pytest.mark.parametrize("path", [*SHARED, *APART, *TOGETHER, *LONG])
def test_what_runs_in_an_order_of_its_own_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_a_marker_that_make_test_would_not_find_is_refused(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    file = tmp_path / "test_slow.py"
    item = any_typed(SimpleNamespace(path=file, nodeid=str(file), get_closest_marker=lambda name: name == "exclusive"))
    file.write_text("pytestmark = pytest.mark.exclusive\n")
    pytest_collection_modifyitems(pytestconfig, [item])
    file.write_text("pytestmark = MARKS\n")
    with pytest.raises(pytest.UsageError, match=r"test_slow\.py"):
        pytest_collection_modifyitems(pytestconfig, [item])


def test_tests_that_share_something_are_one_group() -> None:
    assert group_of("tests/escape/test_pages.py::a") == group_of("tests/escape/test_attacks.py::b[1]")
    assert group_of("tests/wire/test_framing.py::a") == group_of("tests/wire/test_framing.py::b[1]")
    assert group_of("tests/wire/test_framing.py::a") != group_of("tests/wire/test_channel.py::a")
    assert group_of("tests/e2e/test_kills.py::a[x]") != group_of("tests/e2e/test_kills.py::a[y]")
    assert group_of(f"{TOGETHER[0]}::a[x]") == group_of(f"{TOGETHER[0]}::a[y]")


@pytest.mark.parametrize(
    ("process", "last", "expected"),
    [(0, "tests/wire/test_framing.py", False), (1, "tests/wire/test_framing.py", True), (1, LONG[0], False)],
)
def test_every_other_process_begins_with_what_is_not_long(process: int, last: str, expected: bool) -> None:
    assert takes_last(process, last) is expected
