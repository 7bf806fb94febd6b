"""The dialer's protocol as data: the gateway has no message that carries rules."""

import inspect

import msgspec
import pytest

from pageworker_sandbox.dialer import messages as m
from pageworker_sandbox.dialer.messages import MAX_TARGETS, DialRules
from pageworker_sandbox.wire.messages import Message, MessageSpec

DIRECTIONS = (m.FROM_SUPERVISOR, m.TO_SUPERVISOR, m.FROM_GATEWAY, m.TO_GATEWAY)
ALL = [spec for direction in DIRECTIONS for spec in direction.values()]


def test_every_message_has_one_number_in_one_direction() -> None:
    numbers = [number for direction in DIRECTIONS for number in direction]
    assert len(numbers) == len(set(numbers))
    defined = {found for _, found in inspect.getmembers(m, inspect.isclass) if issubclass(found, Message)} - {Message}
    assert defined == {spec.message for spec in ALL}
    assert len(ALL) == len(defined)


def test_rules_come_from_the_supervisor_only() -> None:
    assert [spec.message for spec in m.FROM_SUPERVISOR.values()] == [DialRules]
    for spec in m.FROM_GATEWAY.values():
        assert not {"ports", "targets", "barred"} & set(spec.message.__struct_fields__)


@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.message.__name__)
def test_every_message_is_frozen_and_bounded_and_forbids_unknown_fields(spec: MessageSpec) -> None:
    config = spec.message.__struct_config__
    assert config.frozen
    assert config.forbid_unknown_fields
    assert spec.max_bytes <= 1024 * 1024


@pytest.mark.parametrize(
    "fields",
    [{"ports": [0]}, {"ports": [80], "targets": ["x"] * (MAX_TARGETS + 1)}, {"ports": [80], "admin": True}, {}],
)
def test_rules_outside_their_limits_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, DialRules)
