"""One runner's counts: when they are read, and which jobs they are of."""

import time

from pageworker_supervisor.contract.traffic import MAX_COUNT, NO_TRAFFIC, Traffic
from pageworker_supervisor.runners.runner_traffic import REMEMBERED_JOBS, RunnerTraffic


class SharedByGateway:
    """Counts as the gateway shares them."""

    def __init__(self) -> None:
        self.now = (0, 0, 0)

    def __call__(self) -> tuple[int, int, int]:
        return self.now


def test_every_growth_is_reported_once_while_the_runner_lives() -> None:
    grown: list[Traffic] = []
    gateway, traffic = SharedByGateway(), RunnerTraffic("acme", grown.append)
    traffic.look()
    traffic.read_from(gateway)
    gateway.now = (1, 20, 300)
    traffic.look()
    traffic.look()
    gateway.now = (2, 40, 600)
    traffic.begin("a", "acme/17", "t")
    assert grown == [Traffic(1, bytes_in=300, bytes_out=20)] * 2


def test_an_attempt_has_what_was_counted_from_its_begin_to_its_end() -> None:
    gateway, traffic = SharedByGateway(), RunnerTraffic("acme")
    traffic.read_from(gateway)
    gateway.now = (1, 10, 100)
    traffic.begin("a", "acme/17", "t")
    gateway.now = (2, 20, 200)
    assert traffic.share("a") == Traffic(1, bytes_in=100, bytes_out=10)
    gateway.now = (3, 30, 300)
    assert traffic.end("a") == Traffic(2, bytes_in=200, bytes_out=20)
    gateway.now = (4, 40, 400)
    assert traffic.end("a") == NO_TRAFFIC
    assert traffic.ledger.unattributed == Traffic(2, bytes_in=200, bytes_out=20)


def test_counts_of_a_gateway_that_was_taken_over_stay_within_what_redis_can_add() -> None:
    gateway, traffic = SharedByGateway(), RunnerTraffic("acme")
    traffic.read_from(gateway)
    traffic.begin("a", "acme/17", "t")
    gateway.now = (2**64 - 1, 2**64 - 1, 2**64 - 1)
    assert traffic.end("a") == Traffic(MAX_COUNT, MAX_COUNT, MAX_COUNT)


def test_jobs_are_named_by_the_time_in_which_they_ran() -> None:
    traffic = RunnerTraffic("acme")
    traffic.begin("a", "acme/17", "t")
    traffic.begin("b", "acme/18", "u")
    assert [job.job for job in traffic.jobs_within(0)] == ["acme/17", "acme/18"]
    traffic.end("a")
    ended = time.monotonic()
    while time.monotonic() == ended:
        pass
    assert [job.job for job in traffic.jobs_within(0)] == ["acme/18"]
    assert [job.job for job in traffic.jobs_within(60)] == ["acme/17", "acme/18"]


def test_a_runner_remembers_a_bounded_number_of_jobs() -> None:
    traffic = RunnerTraffic("acme")
    for number in range(REMEMBERED_JOBS + 10):
        traffic.begin(str(number), f"acme/{number}", "t")
        traffic.end(str(number))
    assert len(traffic.jobs_within(60)) == REMEMBERED_JOBS
