"""How many requests a token may send."""

from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.api import token_buckets
from pageworker_supervisor.api.token_buckets import TokenBuckets, limit_headers


def test_a_burst_then_the_rate() -> None:
    buckets = TokenBuckets(2.0, 3)
    assert [buckets.take("a", 0.0).allowed for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b", 0.0).allowed, "each token has its own"
    assert buckets.empty_for("a", 0.0) == 0.5
    assert [buckets.take("a", 0.5).allowed for _ in range(2)] == [True, False]
    assert buckets.take("a", 100.0).left == 2, "it holds no more than the burst"


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.5, 20), st.integers(1, 10))
def test_never_more_than_burst_and_rate(gaps: list[float], rate: float, burst: int) -> None:
    buckets, now, allowed = TokenBuckets(rate, burst), 0.0, 0
    for gap in gaps:
        now += gap
        state = buckets.take("a", now)
        allowed += state.allowed
        assert state.wait_seconds >= 0
        if not state.allowed:
            assert buckets.take("a", now + state.wait_seconds + 1e-6).allowed
            now += state.wait_seconds + 1e-6
            allowed += 1
    assert allowed <= burst + rate * now + 1e-3


def test_forgotten_buckets_are_those_used_least_recently() -> None:
    buckets = TokenBuckets(1.0, 1)
    most = token_buckets.MOST_BUCKETS
    for number in range(most):
        buckets.take(str(number), 0.0)
    buckets.take("0", 0.0)
    buckets.take("new", 0.0)
    assert not buckets.take("0", 0.0).allowed
    assert buckets.take("1", 0.0).allowed


def test_the_headers_of_the_draft() -> None:
    buckets = TokenBuckets(50.0, 200)
    headers = limit_headers(buckets, buckets.take("a", 0.0))
    assert headers == {"RateLimit-Policy": '"token";q=200;w=4', "RateLimit": '"token";r=199;t=0'}
