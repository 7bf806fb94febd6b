"""Failed starts are repeated ever more slowly. One that succeeds resets the pause."""

from pageworker_supervisor.runners.spawn_backoff import BASE_SECONDS, CAP_SECONDS, SpawnBackoff


def test_it_doubles_up_to_the_cap_and_one_good_start_forgets() -> None:
    backoff = SpawnBackoff()
    waits = []
    for _ in range(12):
        backoff.spawned(100.0, ok=False)
        assert backoff.closed(100.0)
        waits.append(backoff.remaining_seconds(100.0))
    assert waits[:3] == [BASE_SECONDS, 2 * BASE_SECONDS, 4 * BASE_SECONDS]
    assert waits[-1] == CAP_SECONDS
    assert not backoff.closed(100.0 + CAP_SECONDS)
    backoff.spawned(100.0, ok=True)
    assert not backoff.closed(100.0)
