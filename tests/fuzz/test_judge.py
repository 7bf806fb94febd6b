"""Each kind of mistake is a finding, and what a target may raise is none."""

import resource
from collections.abc import Callable

import pytest

from fuzz.judge import LEAST_BLOCKS, MEMORY_BYTES, FuzzFinding, GrowthCheck, InputHangs, InputJudge
from fuzz.target import FuzzTarget

HANG_SECONDS = 0.05


def judged(
    run: Callable[[bytes], object], data: bytes = b"x", hang_seconds: float = HANG_SECONDS
) -> FuzzFinding | None:
    target = FuzzTarget("t", run, raises=(ValueError,), seeds=())
    with InputJudge(target, hang_seconds) as judge:
        return judge.check(data)


def _raise(error: BaseException) -> None:
    raise error


def test_a_permitted_exception_is_no_finding() -> None:
    assert judged(int) is None
    assert judged(lambda data: None) is None
    assert judged(lambda data: _raise(UnicodeDecodeError("utf-8", b"", 0, 1, "a ValueError too"))) is None


@pytest.mark.parametrize("error", [KeyError("planted"), AssertionError("a property"), ExceptionGroup("g", [OSError()])])
def test_any_other_one_is_named_by_its_place(error: Exception) -> None:
    found = judged(lambda data: _raise(error), b"input")
    assert found is not None
    assert (found.kind, found.data) == ("raised", b"input")
    assert found.where.startswith(f"{'OSError' if isinstance(error, ExceptionGroup) else type(error).__name__} at ")
    assert type(error).__name__ in found.text
    assert found.name.startswith("raised-")


def _endless(data: bytes) -> None:
    while True:
        data = data[:1]


def _stubborn(data: bytes) -> None:
    for _ in range(2):
        try:
            _endless(data)
        except InputHangs:
            continue


@pytest.mark.parametrize("run", [_endless, _stubborn])
def test_an_input_that_hangs_is_stopped_even_where_the_stop_is_caught(run: Callable[[bytes], object]) -> None:
    found = judged(run)
    assert found is not None
    assert found.kind == "hang"


def test_one_input_that_takes_much_memory() -> None:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # To fill it takes long: this process may have used much before.
    found = judged(lambda data: data * (most + 2 * MEMORY_BYTES), hang_seconds=60)
    assert found is not None
    assert found.kind == "memory"
    assert judged(lambda data: data * 1000) is None


@pytest.mark.parametrize("leaves", [True, False])
def test_inputs_that_leave_objects_behind(leaves: bool) -> None:
    kept: list[list[int]] = []
    inputs = 6 * LEAST_BLOCKS
    growth = GrowthCheck(inputs)
    for _ in range(inputs):
        growth.count()
        if leaves:
            kept.append([1])
    found = growth.finding()
    assert (found is not None) is leaves
    if found is not None:
        assert found.kind == "growth"


def test_a_run_that_ends_early_says_nothing_of_growth() -> None:
    growth = GrowthCheck(10)
    growth.count()
    assert growth.finding() is None
