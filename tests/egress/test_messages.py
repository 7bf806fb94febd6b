"""The gateway's protocol as data, and the limits of a policy."""

import inspect
from typing import Any

import msgspec
import pytest

from pageworker_sandbox.dialer import messages as dialer
from pageworker_sandbox.egress import messages as m
from pageworker_sandbox.egress.messages import MAX_HOSTS, EgressPolicy
from pageworker_sandbox.wire import messages as wire
from pageworker_sandbox.wire.messages import Message, MessageSpec

ALL = {**m.TO_GATEWAY, **m.TO_SUPERVISOR}


def test_every_message_has_one_number_that_no_other_protocol_uses() -> None:
    defined = {found for _, found in inspect.getmembers(m, inspect.isclass) if issubclass(found, Message)} - {Message}
    assert defined == {spec.message for spec in ALL.values()}
    others = set(wire.TO_RUNNER) | set(dialer.FROM_GATEWAY) | set(dialer.TO_GATEWAY)
    assert not set(ALL) & others


@pytest.mark.parametrize("spec", ALL.values(), ids=lambda spec: spec.message.__name__)
def test_every_message_is_frozen_and_bounded_and_forbids_unknown_fields(spec: MessageSpec) -> None:
    config = spec.message.__struct_config__
    assert config.frozen
    assert config.forbid_unknown_fields
    assert 0 < spec.max_bytes <= 4 * 1024 * 1024


@pytest.mark.parametrize(
    "fields",
    [
        {"ports": [0]},
        {"ports": [65536]},
        {"connect_seconds": 0},
        {"connect_seconds": 601},
        {"budget_bytes": -1},
        {"limited": ["x"] * (MAX_HOSTS + 1)},
        {"hosts": [["x"] * (MAX_HOSTS + 1)]},
        {"hosts": [["x"]] * 9},
        {"hosts": [[""]]},
        {"proxy": "x"},
        {"upstreams": [{"url": "http://p:3128"}] * (m.MAX_UPSTREAMS + 1)},
        {"upstreams": [{"url": ""}]},
        {"order": "random"},
        {"without_upstream": "guess"},
    ],
)
def test_a_policy_outside_its_limits_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, EgressPolicy)


def test_an_empty_policy_allows_two_ports_and_no_host() -> None:
    policy = EgressPolicy()
    assert (policy.hosts, policy.ports) == ((), (80, 443))
    assert (policy.budget_bytes, policy.limited) == (None, ())
    assert (policy.upstreams, policy.without_upstream) == ((), "refuse")
