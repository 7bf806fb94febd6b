"""What a key may sign, as globs and as text."""

from datetime import UTC, datetime

import pytest

from pageworker_sandbox.signing import KeyScope, SecretKey, SignatureRule, TrustedKey
from pageworker_sandbox.signing.key_scope import FULL_SCOPE, matches

ONE, TWO = TrustedKey(SecretKey.new().public), TrustedKey(SecretKey.new().public, label="two")


@pytest.mark.parametrize(
    ("name", "globs", "expected"),
    [
        ("shop.product", ("*",), True),
        ("shop.product", ("shop.*",), True),
        ("shopper", ("shop.*",), False),
        ("shop.product", ("other", "shop.produc?"), True),
        ("shop.product", ("shop",), False),
        ("shop", (), False),
    ],
)
def test_a_glob_covers_the_whole_name(name: str, globs: tuple[str, ...], expected: bool) -> None:
    assert matches(name, globs) is expected


def test_a_scope_as_text_names_tenants_only_on_demand() -> None:
    scope = KeyScope(("shop.*",), ("acme-*",), ("canary",), not_after=datetime(2027, 1, 1, tzinfo=UTC))
    assert scope.text() == "modules shop.*; channels canary; valid until 2027-01-01T00:00:00Z"
    assert "tenants acme-*" in scope.text(tenants=True)
    assert FULL_SCOPE.text() == "modules *; channels *; without expiry"


def test_a_rule_counts_the_keys_that_it_names() -> None:
    assert SignatureRule(("*",), 1).counted([ONE, TWO]) == [ONE, TWO]
    assert SignatureRule(("*",), 1, frozenset([TWO.public.id])).counted([ONE, TWO]) == [TWO]


def test_the_name_of_a_key_has_its_label() -> None:
    assert (ONE.name, TWO.name) == (ONE.public.name, f"{TWO.public.name} (two)")
