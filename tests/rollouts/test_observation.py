"""What is counted of a job that ends."""

import pytest

from pageworker_supervisor.contract.result import Status
from pageworker_supervisor.rollouts.observation import BUCKETS, observed_fields
from rollouts.pairs import running


def observed(
    status: Status = "succeeded", version: str = "1.1.0", crashed: bool = False, seconds: float = 0.0, data: int = 0
) -> tuple[str, ...]:
    return observed_fields(running(), version, status, crashed=crashed, ran_seconds=seconds, traffic_bytes=data)


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("failed", ("new.jobs", "new.failed")),
        ("timed_out", ("new.jobs", "new.failed")),
        ("dead", ("new.jobs", "new.failed")),
        ("rejected", ("new.jobs", "new.failed")),
        ("blocked", ("new.jobs", "new.blocked")),
        ("succeeded", ("new.jobs", "new.seconds.0", "new.bytes.0")),
        ("cancelled", ()),
        ("expired", ()),
    ],
)
def test_each_status(status: Status, fields: tuple[str, ...]) -> None:
    assert observed(status) == fields


def test_versions_and_crashes() -> None:
    assert observed("blocked", "1.0.0") == ("old.jobs", "old.blocked")
    assert observed("failed", "0.9.0") == ()
    assert observed(crashed=True) == ("new.jobs", "new.failed", "new.seconds.0", "new.bytes.0")
    assert observed("failed", crashed=True) == ("new.jobs", "new.failed")


def test_buckets_double_every_eight_of_seconds_and_every_four_of_bytes_and_are_bounded() -> None:
    def buckets(seconds: float, data: int) -> tuple[int, int]:
        _, *two = observed(seconds=seconds, data=data)
        first, second = (int(field.rpartition(".")[2]) for field in two)
        return first, second

    assert buckets(0.02, 512) == (8, 4)
    assert buckets(1.28, 1024 * 1024) == (56, 48)
    assert buckets(-1, -1) == (0, 0)
    assert buckets(1e9, 10**18) == (BUCKETS - 1, BUCKETS - 1)
