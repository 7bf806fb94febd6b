"""What fails is repeated ever more slowly. A success resets the pause."""

from pageworker_supervisor.backoff import Backoff


def test_it_doubles_up_to_the_limit_and_one_success_forgets() -> None:
    backoff = Backoff(0.5, 30.0)
    assert backoff.remaining_seconds(100.0) == 0.0
    waits = []
    for _ in range(12):
        backoff.pause(100.0)
        waits.append(backoff.remaining_seconds(100.0))
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert waits[-1] == 30.0
    assert backoff.remaining_seconds(100.0 + 30.0) == 0.0
    backoff.reset()
    assert backoff == Backoff(0.5, 30.0)


def test_any_number_of_failures_is_counted() -> None:
    backoff = Backoff(1.0, 60.0, pauses=10_000)
    backoff.pause(5.0)
    assert (backoff.until, backoff.pauses) == (65.0, 10_001)
