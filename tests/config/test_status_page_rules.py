"""An open page is reachable from its host alone."""

import msgspec
import pytest

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.status_page_rules import status_page_findings


def findings(page: dict[str, object], bind: str | None) -> list[str]:
    settings = msgspec.convert({"api": {"bind": bind}, "status_page": page}, Settings)
    return [".".join(path) for path, *_ in status_page_findings(settings)]


@pytest.mark.parametrize(
    ("bind", "broken"),
    [
        ("127.0.0.1:9480", False),
        ("127.8.0.1:9480", False),
        ("[::1]:9480", False),
        ("localhost:80", False),
        (None, False),
        ("0.0.0.0:80", True),
        ("[::]:80", True),
        ("10.0.0.1:80", True),
        ("api.example:80", True),
    ],
)
def test_an_open_page_needs_an_address_of_loopback(bind: str | None, broken: bool) -> None:
    assert findings({"open_on_loopback": True}, bind) == (["status_page.open_on_loopback"] if broken else [])
    assert findings({}, bind) == []


def test_hosts_are_host_names() -> None:
    assert findings({"allowed_hosts": ["a.example", "*.b.example"]}, None) == []
    assert findings({"allowed_hosts": ["http://a.example", "a:1", "*"]}, None) == ["status_page.allowed_hosts"] * 3
