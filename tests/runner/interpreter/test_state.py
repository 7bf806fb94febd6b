"""What jobs change in the interpreter is set back, or the runner is retired."""

import asyncio
import os
import sys
from collections.abc import Iterator

import pytest

from pageworker_runner.interpreter.state import InterpreterState


def settled() -> InterpreterState:
    """Made by the test itself: pytest sets a variable between a fixture and its test."""
    found = InterpreterState()
    found.settle(asyncio.get_running_loop())
    return found


@pytest.fixture(autouse=True)
def recursion_limit() -> Iterator[int]:
    limit = sys.getrecursionlimit()
    yield limit
    sys.setrecursionlimit(limit)
    os.environ.pop("LEFT", None)


async def test_a_change_is_set_back_when_no_other_job_runs(recursion_limit: int) -> None:
    state = settled()
    sys.setrecursionlimit(recursion_limit + 1)
    os.environ["LEFT"] = "1"
    assert state.take_back(alone=True) is None
    assert (sys.getrecursionlimit(), os.environ.get("LEFT")) == (recursion_limit, None)


async def test_a_change_beside_another_job_is_a_reason_and_stays() -> None:
    state = settled()
    os.environ["LEFT"] = "1"
    assert state.take_back(alone=False) == "a module changed os.environ"
    assert os.environ["LEFT"] == "1"


async def test_what_an_import_sets_is_no_reason_and_is_set_again(recursion_limit: int) -> None:
    state = settled()
    before = state.changes()
    sys.setrecursionlimit(recursion_limit + 7)
    changes = state.imported(before)
    assert [each.name for each in changes] == ["sys.setrecursionlimit"]
    assert state.take_back(alone=False) is None
    assert state.take_back(alone=True) is None
    assert sys.getrecursionlimit() == recursion_limit
    state.begin(changes)
    assert sys.getrecursionlimit() == recursion_limit + 7
    assert state.take_back(alone=False) is None
    sys.setrecursionlimit(recursion_limit + 9)
    assert state.take_back(alone=False) == "a module changed sys.setrecursionlimit"
    state.take_back(alone=True)


async def test_an_import_is_not_charged_with_what_was_there_before() -> None:
    state = settled()
    os.environ["LEFT"] = "1"
    assert state.imported(state.changes()) == ()
    state.take_back(alone=True)


async def test_what_has_no_way_back_is_a_reason() -> None:
    state = settled()
    await asyncio.get_running_loop().shutdown_default_executor()
    reason = state.take_back(alone=True)
    assert reason == "a module changed the loop's default executor"


async def test_replaced_functions_are_set_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    state = settled()
    plain = os.getcwd
    monkeypatch.setattr(os, "getcwd", lambda: "/left")
    state.unpatch()
    assert os.getcwd is plain
