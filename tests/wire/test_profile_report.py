import msgspec
import pytest

from pageworker_sandbox.wire.profile_report import ProfileReport


@pytest.mark.parametrize(
    "fields",
    [
        {"state": "unknown"},
        {"state": "needs_human", "evidence": {str(number): "x" for number in range(9)}},
        {"state": "needs_human", "evidence": {"text": "x" * 257}},
        {"state": "needs_human", "evidence": {"x" * 65: "x"}},
        {"state": "needs_human", "url": "x" * 1025},
        {"state": "needs_human", "profile_id": "another"},
    ],
)
def test_what_is_outside_its_limits_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(fields), type=ProfileReport)
