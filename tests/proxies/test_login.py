"""The login in a secret of the fleet."""

import pytest

from pageworker_supervisor.proxies.login import LoginInvalid, ProxyLogin, parse_login


def test_the_first_colon_ends_the_user() -> None:
    assert parse_login("ada:s3:cr:et") == ProxyLogin("ada", "s3:cr:et")
    assert parse_login("ada:s3:cr:et").pair == "ada:s3:cr:et"


@pytest.mark.parametrize("value", ["hunter2hunter2", ":hunter2", "hunter2:", "a:hunter2\n", "a:" + "hunter2" * 40])
def test_what_is_no_login_is_explained_without_its_value(value: str) -> None:
    with pytest.raises(LoginInvalid) as caught:
        parse_login(value)
    assert "hunter2" not in str(caught.value)


def test_a_login_shows_nothing() -> None:
    assert repr(ProxyLogin("ada", "hunter2")) == "ProxyLogin()"
