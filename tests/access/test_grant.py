"""What a token permits."""

import pytest

from pageworker_supervisor.access.errors import AccessTokenRefused
from pageworker_supervisor.access.grant import SCOPES, TokenGrant, checked_scopes

ACME = TokenGrant("acme", frozenset({"viewer", "producer"}), "0" * 16, None)
FLEET = TokenGrant(None, frozenset({"producer"}), "1" * 16, None)


@pytest.mark.parametrize(
    ("grant", "scope", "tenant", "permitted"),
    [
        (ACME, "viewer", "acme", True),
        (ACME, "producer", "acme", True),
        (ACME, "viewer", "rival", False),
        (ACME, "viewer", "", False),
        (FLEET, "producer", "acme", True),
        (FLEET, "producer", "rival", True),
        (FLEET, "viewer", "acme", False),
    ],
)
def test_a_grant_permits_its_scopes_for_its_tenant(grant: TokenGrant, scope: str, tenant: str, permitted: bool) -> None:
    assert grant.permits(scope, tenant) is permitted


def test_known_scopes_are_accepted() -> None:
    assert checked_scopes(SCOPES) == {"viewer", "producer"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "a token needs a scope"),
        (["viewer", "admin"], "'admin'"),
        (["viewer", "operator"], "'operator' is not supported yet"),
        (["publisher"], "'publisher' is not supported yet"),
    ],
)
def test_other_scopes_are_refused(names: list[str], message: str) -> None:
    with pytest.raises(AccessTokenRefused, match=message):
        checked_scopes(names)
