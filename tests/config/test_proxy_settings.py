"""The section [proxies]."""

import msgspec
import pytest

from pageworker_sandbox.egress.messages import EgressPolicy, Upstream
from pageworker_supervisor.config.proxy_settings import MAX_UPSTREAMS, ProxySettings


def test_a_policy_with_upstreams_alone_refuses_what_they_cannot_do() -> None:
    policy = msgspec.convert({"upstreams": ["http://p.test:3128"]}, ProxySettings)
    assert (policy.rotation, policy.resolve, policy.fallback, policy.tenants) == ("profile", "here", "refuse", ("*",))


@pytest.mark.parametrize("wrong", [{"fallback": "maybe"}, {"rotation": "x"}, {"credentials": "A B"}, {"user": "a"}])
def test_other_values_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"upstreams": ["http://p.test:3128"], **wrong}, ProxySettings)


def test_the_gateway_takes_as_many_upstreams_as_a_policy_may_have() -> None:
    def decoded(count: int) -> EgressPolicy:
        given = EgressPolicy(upstreams=(Upstream(url="http://p.test:3128"),) * count)
        return msgspec.msgpack.decode(msgspec.msgpack.encode(given), type=EgressPolicy)

    assert len(decoded(MAX_UPSTREAMS).upstreams) == MAX_UPSTREAMS
    with pytest.raises(msgspec.ValidationError):
        decoded(MAX_UPSTREAMS + 1)
