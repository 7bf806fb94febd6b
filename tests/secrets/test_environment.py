"""Secrets in environment variables."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.wire.messages import SECRET_NAME
from pageworker_supervisor.secrets.backend import FLEET, SecretRef
from pageworker_supervisor.secrets.environment import EnvironmentBackend, variable_of
from pageworker_supervisor.secrets.errors import SecretMissing

REFS = st.builds(
    SecretRef,
    st.from_regex(r"[a-b-]{1,5}", fullmatch=True) | st.sampled_from([FLEET, "fleet", "-fleet"]),
    st.from_regex(r"[a-b_]{1,5}", fullmatch=True).filter(lambda name: re.match(SECRET_NAME, name) is not None),
)


async def test_a_variable_holds_the_secret_of_one_tenant() -> None:
    backend = EnvironmentBackend({"SECRET__TEAM_RED__SHOP_LOGIN": "correct-horse"})
    assert (await backend.fetch(SecretRef("team-red", "shop_login"))).value == "correct-horse"
    with pytest.raises(SecretMissing, match="SECRET__ACME__SHOP_LOGIN is not set"):
        await backend.fetch(SecretRef("acme", "shop_login"))


async def test_the_version_follows_the_value_and_does_not_show_it() -> None:
    ref = SecretRef("acme", "login")
    first = await EnvironmentBackend({variable_of(ref): "correct-horse"}).fetch(ref)
    second = await EnvironmentBackend({variable_of(ref): "battery-staple"}).fetch(ref)
    assert first.version != second.version
    assert "horse" not in first.version


@given(REFS, REFS)
def test_two_secrets_never_share_a_variable(one: SecretRef, other: SecretRef) -> None:
    assert (variable_of(one) == variable_of(other)) == (one == other)
