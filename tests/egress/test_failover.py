"""Which route is next: in order, without proxies that are down, and with a share of the time."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st
from pw_egress.set_clock import SetClock

from pageworker_sandbox.egress.failover import (
    LONGEST_PAUSE_SECONDS,
    REMEMBERED_DOUBTS,
    Failover,
    RouteDoubts,
    candidates,
)
from pageworker_sandbox.egress.policy import Route, UpstreamProxy
from pageworker_sandbox.egress.target import Target

SHOP = Target("shop.test", 443)
PROXIES = tuple(UpstreamProxy("http", Target(f"p{n}.test", 3128), None, None, False) for n in range(5))


def routes(*numbers: int, direct: bool = False) -> tuple[Route, ...]:
    proxied = tuple(Route(SHOP, None, PROXIES[number]) for number in numbers)
    return (*proxied, Route(SHOP, None, None)) if direct else proxied


@given(
    st.lists(st.integers(0, 4), unique=True),
    st.sets(st.integers(0, 4)),
    st.sets(st.integers(0, 4)),
    st.booleans(),
)
def test_the_order_of_the_policy_is_kept_and_the_direct_way_is_the_last(
    order: list[int], down: set[int], doubted: set[int], direct: bool
) -> None:
    doubts = RouteDoubts()
    for number in doubted:
        doubts.add(routes(number)[0], 100.0)
    every = routes(*order, direct=direct)
    found = candidates(every, lambda proxy: PROXIES.index(proxy) not in down, doubts, 100.0)
    assert found == [route for route in every if route in found], "in the order of the policy"
    up = [number for number in order if number not in down]
    left = [number for number in up if number not in doubted] or up
    assert found == list(routes(*left, direct=direct)), "a doubt never leaves a request without a proxy"


def test_a_policy_without_a_direct_way_has_none_left() -> None:
    assert candidates(routes(0, 1), lambda proxy: False, RouteDoubts(), 100.0) == []


def test_a_doubt_is_of_one_target_and_of_one_proxy_and_grows() -> None:
    doubts = RouteDoubts()
    route, other = routes(0, 1)
    elsewhere = Route(Target("other.test", 443, ip_address("8.8.8.8")), None, PROXIES[0])
    now, pauses = 0.0, []
    for _ in range(8):
        doubts.add(route, now)
        assert not doubts.holds(other, now)
        assert not doubts.holds(elsewhere, now)
        pause = next(seconds for seconds in range(1, 100) if not doubts.holds(route, now + seconds))
        pauses.append(pause)
        now += pause
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    doubts.clear(route)
    doubts.add(route, now)
    assert not doubts.holds(route, now + 1)


def test_doubts_are_bounded() -> None:
    doubts = RouteDoubts()
    many = [Route(Target(f"h{n}.test", 80), None, PROXIES[0]) for n in range(REMEMBERED_DOUBTS + 1)]
    for route in many:
        doubts.add(route, 0.0)
    assert [doubts.holds(route, 0.0) for route in (many[0], many[1], many[-1])] == [False, True, True]


def test_each_route_gets_half_of_the_time_that_is_left_and_the_last_one_all() -> None:
    clock = SetClock()
    failover = Failover(routes(0, 1, 2), list(routes(0, 1, 2)), 8.0, clock)
    shares = []
    for _ in failover:
        shares.append(failover.share_seconds)
        clock.now += failover.share_seconds
    assert shares == [4.0, 2.0, 2.0]
    assert failover.left_seconds == 0.0


def test_no_route_is_tried_after_the_time_is_up() -> None:
    clock = SetClock()
    tried = []
    failover = Failover(routes(0, 1), list(routes(0, 1)), 8.0, clock)
    for route in failover:
        tried.append(route)
        clock.now += 9.0
    assert tried == list(routes(0))
