"""Where the dialer may connect to: cases, and that nothing of this host is among them unless the operator says so."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.dialer.targets import MAX_LEARNED, parse_rules
from pageworker_sandbox.egress.address import Address
from pageworker_sandbox.egress.errors import MalformedTarget

PUBLIC = ip_address("93.184.216.34")
HERE = ip_address("127.0.0.1")


@pytest.mark.parametrize(
    ("address", "port", "local", "reason"),
    [
        ("93.184.216.34", 443, False, None),
        ("93.184.216.34", 6379, False, "port_not_allowed"),
        ("93.184.216.34", 443, True, "private_address"),  # an address of this host's own
        ("127.0.0.1", 8000, True, None),  # fixed
        ("::ffff:127.0.0.1", 8000, True, None),
        ("127.0.0.1", 443, True, "private_address"),
        ("127.0.0.1", 6399, True, "private_address"),  # fixed, and the worker's own
        ("::ffff:127.0.0.1", 6399, True, "private_address"),
        ("10.0.0.7", 443, False, None),  # fixed without a port
        ("10.0.0.7", 22, False, "private_address"),
        ("10.0.0.8", 443, False, "private_address"),
        ("169.254.169.254", 80, False, "private_address"),
        ("::1", 80, True, "private_address"),
    ],
)
def test_cases(address: str, port: int, local: bool, reason: str | None) -> None:
    rules = parse_rules((80, 443), ("127.0.0.1:8000", "127.0.0.1:6399", "10.0.0.7"), (6399, 9470))
    assert rules.refusal(ip_address(address), port, local=local) == reason


def test_a_proxy_by_name_is_reached_where_it_resolves_to() -> None:
    rules = parse_rules((80,), ("proxy.internal:3128",), (6399,))
    inner = ip_address("10.1.2.3")
    assert rules.refusal(inner, 3128, local=False) == "private_address"
    rules.learn("other.internal", [inner])
    assert rules.refusal(inner, 3128, local=False) == "private_address"
    rules.learn("proxy.internal.", [inner, HERE])
    assert rules.refusal(inner, 3128, local=False) is None
    assert rules.refusal(inner, 80, local=False) == "private_address"


def test_a_proxy_that_resolves_to_the_workers_port_is_refused() -> None:
    rules = parse_rules((80,), ("proxy.internal:6399",), (6399,))
    rules.learn("proxy.internal", [HERE])
    assert rules.refusal(HERE, 6399, local=True) == "private_address"


def test_later_rules_replace_the_earlier_ones() -> None:
    rules = parse_rules((80,), ("10.0.0.7:8000", "kept.internal:3128", "gone.internal:3128"), ())
    kept, gone = ip_address("10.1.2.3"), ip_address("10.1.2.4")
    rules.learn("kept.internal", [kept])
    rules.learn("gone.internal", [gone])
    rules.replace_with(parse_rules((443,), ("kept.internal:1080", "new.internal:3128"), (1080,)))
    assert rules.refusal(PUBLIC, 443, local=False) is None
    assert rules.refusal(PUBLIC, 80, local=False) == "port_not_allowed"
    assert rules.refusal(ip_address("10.0.0.7"), 8000, local=False) == "private_address"
    assert rules.refusal(kept, 1080, local=False) is None, "a name that both name needs no new lookup"
    assert rules.refusal(kept, 1080, local=True) == "private_address"
    assert rules.refusal(kept, 3128, local=False) == "private_address"
    assert rules.refusal(gone, 3128, local=False) == "private_address"
    rules.replace_with(parse_rules((443,), ("gone.internal:3128",), ()))
    assert rules.refusal(gone, 3128, local=False) == "private_address", "what it resolved to was forgotten"


def test_the_oldest_addresses_of_a_name_are_forgotten() -> None:
    rules = parse_rules((80,), ("proxy.internal:3128",), ())
    addresses = [ip_address(f"10.0.{number // 256}.{number % 256}") for number in range(MAX_LEARNED + 1)]
    for address in addresses:
        rules.learn("proxy.internal", [address])
    assert rules.refusal(addresses[0], 3128, local=False) == "private_address"
    assert rules.refusal(addresses[1], 3128, local=False) is None
    rules.learn("proxy.internal", [addresses[1]])
    rules.learn("proxy.internal", [HERE])
    assert rules.refusal(addresses[1], 3128, local=False) is None, "it was seen again lately"


def test_every_port_is_known_beforehand() -> None:
    rules = parse_rules((80, 443), ("127.0.0.1:8000", "10.0.0.7", "proxy.internal:3128"), (6399,))
    assert rules.tcp_ports == {80, 443, 8000, 3128}
    assert parse_rules((80,), (), (), (3128, 1080)).tcp_ports == {80, 3128, 1080}


def test_a_target_that_is_none_is_refused() -> None:
    with pytest.raises(MalformedTarget):
        parse_rules((80,), ("not a target",), ())


@given(st.ip_addresses(), st.integers(1, 65535), st.lists(st.integers(1, 65535), max_size=4))
def test_no_barred_port_of_this_host_is_ever_dialled(address: Address, port: int, barred: list[int]) -> None:
    rules = parse_rules(
        (80, 443, port), (f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}",), barred
    )
    if port in barred:
        assert rules.refusal(address, port, local=True) == "private_address"
    assert rules.refusal(address, port, local=False) is None
