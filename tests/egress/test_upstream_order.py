"""The order of preference: the same everywhere, fair, and moved as little as possible by a changed pool."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.egress.messages import Upstream
from pageworker_sandbox.egress.upstream_order import preferred

URLS = st.lists(st.integers(0, 99), min_size=1, max_size=12, unique=True)
KEYS = st.lists(st.text(max_size=8), max_size=3)


def pool(*numbers: int) -> list[Upstream]:
    return [Upstream(url=f"http://p{number}.test:3128") for number in numbers]


@given(URLS, KEYS)
def test_the_order_depends_on_the_key_and_the_pool_alone(numbers: list[int], key: list[str]) -> None:
    order = preferred(pool(*numbers), *key)
    assert preferred(pool(*reversed(numbers)), *key) == order
    assert sorted(order, key=lambda upstream: upstream.url) == sorted(pool(*numbers), key=lambda upstream: upstream.url)


@given(URLS, KEYS, st.data())
def test_an_upstream_that_goes_moves_no_other_one(numbers: list[int], key: list[str], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(numbers))
    before = preferred(pool(*numbers), *key)
    after = preferred(pool(*(number for number in numbers if number != gone)), *key)
    assert after == tuple(upstream for upstream in before if upstream not in pool(gone))


def test_each_upstream_is_the_first_of_its_share_of_the_keys() -> None:
    first = Counter(preferred(pool(1, 2, 3), "acme", f"profile-{number}")[0].url for number in range(3000))
    assert all(900 < count < 1100 for count in first.values())
    assert len(first) == 3


def test_the_parts_of_a_key_do_not_run_together() -> None:
    keys = [("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")]
    orders = {preferred(pool(*range(12)), *key) for key in keys}
    assert len(orders) == len(keys)


def test_the_order_is_fixed_for_ever() -> None:
    """Workers of two releases run side by side. Another order would move every profile to another address."""
    order = [upstream.url for upstream in preferred(pool(1, 2, 3), "acme", "shop")]
    assert order == ["http://p1.test:3128", "http://p3.test:3128", "http://p2.test:3128"]
