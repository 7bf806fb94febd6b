"""Token buckets against a clock that the test moves."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.wire.token_bucket import TokenBucket


@given(st.lists(st.floats(0, 0.5), max_size=200), st.floats(0.5, 50), st.floats(1, 20))
def test_a_bucket_never_gives_more_than_its_burst_and_rate(gaps: list[float], rate: float, burst: float) -> None:
    bucket, now, given_out = TokenBucket(rate, burst, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        given_out += bucket.take(now)
        assert given_out <= burst + rate * now + 1e-6


def test_time_pays_a_debt() -> None:
    bucket = TokenBucket(0.5, 1.0, 0.0)
    bucket.spend(3.0, 0.0)
    assert bucket.debt(0.0) == 4.0
    assert bucket.debt(3.0) == 1.0
    assert bucket.debt(5.0) == 0.0


def test_unused_tokens_are_kept_up_to_the_burst() -> None:
    bucket = TokenBucket(1.0, 3.0, 0.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
