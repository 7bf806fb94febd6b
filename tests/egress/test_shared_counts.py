"""Counts in memory that two processes share."""

import mmap
import os

import pytest

from pageworker_sandbox.egress.meter import Meter
from pageworker_sandbox.egress.shared_counts import SIZE_BYTES, Count, SharedCounts, new_descriptor, shared_words


def test_a_reader_sees_what_a_meter_counts_without_a_message() -> None:
    descriptor = new_descriptor()
    reader, meter = SharedCounts(descriptor), Meter(words=shared_words(descriptor))
    os.close(descriptor)
    assert reader() == (0, 0, 0)
    meter.count_request()
    assert meter.send(20)
    assert meter.receive(300)
    assert reader() == (1, 20, 300)


def test_a_reader_sees_which_budget_the_runner_wanted_to_exceed() -> None:
    descriptor = new_descriptor()
    words = shared_words(descriptor)
    reader, meter = SharedCounts(descriptor), Meter(10, words, budget_requests=1)
    os.close(descriptor)
    assert reader.over_budget() is None
    meter.receive(11)
    assert (reader.over_budget(), reader()) == ("bytes", (0, 0, 10))
    meter.set_budget(10, 0, turn=1)
    assert reader.over_budget() is None
    meter.count_request()
    assert reader.over_budget() == "requests"
    words[Count.OVER_BUDGET] = 2**60
    assert reader.over_budget() is None, "the gateway may be taken over"


def test_a_meter_that_leaves_the_memory_holds_no_descriptor_of_it() -> None:
    descriptor = new_descriptor()
    reader, meter = SharedCounts(descriptor), Meter(words=shared_words(descriptor))
    meter.count_request()
    before = len(os.listdir("/proc/self/fd"))
    meter.leave_words()
    assert len(os.listdir("/proc/self/fd")) == before - 1
    meter.count_request()
    assert (reader()[0], meter.usage(0).requests) == (1, 2)
    os.close(descriptor)


def test_a_writer_that_dies_leaves_its_counts() -> None:
    descriptor = new_descriptor()
    reader = SharedCounts(descriptor)
    child = os.fork()
    if child == 0:
        shared_words(descriptor)[Count.DOWN_BYTES] = 2**40
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    os.close(descriptor)
    assert reader() == (0, 0, 2**40)


@pytest.mark.parametrize("size", [0, SIZE_BYTES - 1, 2 * SIZE_BYTES])
def test_a_writer_cannot_change_the_size(size: int) -> None:
    """A smaller file would be a SIGBUS in the reader."""
    descriptor = new_descriptor()
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, size)
    assert mmap.mmap(descriptor, SIZE_BYTES)[:] == bytes(SIZE_BYTES)
    os.close(descriptor)


def test_the_reader_does_not_write() -> None:
    descriptor = new_descriptor()
    reader = SharedCounts(descriptor)
    os.close(descriptor)
    with pytest.raises(TypeError):
        reader._words[Count.REQUESTS] = 1
