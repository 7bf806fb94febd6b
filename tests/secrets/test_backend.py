"""What a secret is called, and what its text does not show."""

from pageworker_supervisor.secrets.backend import FetchedSecret, SecretRef


def test_a_secret_is_named_by_tenant_and_name() -> None:
    assert str(SecretRef("acme", "shop_login")) == "acme/shop_login"


def test_the_text_of_a_fetched_secret_does_not_show_its_value() -> None:
    secret = FetchedSecret(value="correct-horse", version="7", lease_seconds=300)
    for text in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert "correct-horse" not in text
        assert "'7'" in text
