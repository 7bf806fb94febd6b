"""The protocol as data: every message has one number, a bound, and refuses what it does not name."""

import inspect
from typing import Any

import msgspec
import pytest

from pageworker_sandbox.wire import messages as m

ALL = {**m.TO_RUNNER, **m.TO_SUPERVISOR}


def test_the_two_directions_share_no_number_and_no_message() -> None:
    assert not set(m.TO_RUNNER) & set(m.TO_SUPERVISOR)
    classes = [spec.message for spec in ALL.values()]
    assert len(classes) == len(set(classes))


def test_every_message_class_has_a_number() -> None:
    defined = {
        found
        for _, found in inspect.getmembers(m, inspect.isclass)
        if issubclass(found, m.Message) and found is not m.Message
    }
    assert defined == {spec.message for spec in ALL.values()}


@pytest.mark.parametrize("spec", ALL.values(), ids=lambda spec: spec.message.__name__)
def test_every_message_is_frozen_and_bounded_and_forbids_unknown_fields(spec: m.MessageSpec) -> None:
    config = spec.message.__struct_config__
    assert config.frozen
    assert config.forbid_unknown_fields
    assert 0 < spec.max_bytes <= 2 * 1024 * 1024
    assert spec.descriptors in (0, 1)


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (m.Pong, {"number": "1"}),
        (m.LogLine, {"attempt_id": None, "level": "fatal", "message": "x"}),
        (m.LogLine, {"attempt_id": None, "level": "info", "message": "x" * 8193}),
        (m.Done, {"attempt_id": "a", "outcome": "paid"}),
        (m.Done, {"attempt_id": "", "outcome": "failed"}),
        (m.Done, {"attempt_id": "a", "outcome": "failed", "ran_seconds": float("nan")}),
        (m.Offer, {"attempt_id": "a", "number": 1, "bytes": m.MAX_ARTIFACT_BYTES + 1}),
        (m.ArtifactData, {"attempt_id": "a", "kind": "../x", "content_type": "text/html"}),
        (m.ArtifactData, {"attempt_id": "a", "kind": "html", "content_type": "text/html\nX: y"}),
        (m.Hello, {"protocol": 1, "admin": True}),
    ],
)
def test_a_field_outside_its_limits_is_refused(message: type[m.Message], fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(fields), type=message)
