"""Rules of [proxies]: one broken at a time, and which setting is named."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pageworker_supervisor.config.proxy_rules import proxy_findings
from pageworker_supervisor.config.settings import Settings

POOL = {"upstreams": ["http://p1.test:3128", "socks5://p2.test:1080"]}
PORTS = {"proxy_ports": [3128, 1080]}


def findings(given: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    settings = msgspec.convert({"egress": PORTS, **given}, Settings)
    return [(".".join(path), str(found), wanted, hint) for path, found, wanted, hint in proxy_findings(settings)]


@pytest.mark.parametrize(
    "given",
    [
        {"egress": {}},
        {"proxies": {"de": POOL}},
        {"proxies": {"de": POOL}, "tenants": {"acme": {"proxy": "de", "proxy_required": True}}},
        {"proxies": {"de": {**POOL, "tenants": ["ac*"]}}, "tenants": {"acme-*": {"proxy": "de"}}},
        {"proxies": {"de": {**POOL, "credentials": "proxy_login"}}, "secrets": {"backend": "systemd"}},
        {"egress": {"hosts": {f"h{n}.test": "10.0.0.1" for n in range(2049)}}},
    ],
)
def test_these_are_complete(given: Mapping[str, Any]) -> None:
    assert findings(given) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://ada:hunter2@p.test:3128", "http://ada:(hidden)@p.test:3128"),
        ("http://hunter2@p.test:3128", "http://(hidden)@p.test:3128"),
        ("http://p.test:3128?password=hunter2", "http://p.test:3128?password=(hidden)"),
        ("http://p.test:3128:ada:hunter2", "http://(hidden)"),
        ("p.test:3128:ada:hunter2", "(hidden)"),
        ("hunter2@p.test", "(hidden)"),
        ("p.test:3128", "p.test:3128"),
    ],
)
def test_a_refused_url_is_shown_without_its_password(url: str, shown: str) -> None:
    ((_, found, *texts),) = findings({"proxies": {"de": {"upstreams": [url]}}})
    assert found == shown
    assert "hunter2" not in " ".join(texts)


@pytest.mark.parametrize(
    ("given", "key", "told"),
    [
        ({"proxies": {"DE": POOL}}, "proxies.DE", "1-63 of a-z0-9-"),
        ({"proxies": {"direct": POOL}}, "proxies.direct", "stands for no proxy"),
        ({"proxies": {"de": {}}}, "proxies.de.upstreams", "1 to 32"),
        (
            {"proxies": {"de": {"upstreams": [f"http://p{n}.test:3128" for n in range(33)]}}},
            "proxies.de.upstreams",
            "33 upstreams",
        ),
        (
            {"proxies": {"de": {"upstreams": ["http://p.test:3128", "http://P.test:3128/"]}}},
            "proxies.de.upstreams",
            "each upstream once",
        ),
        (
            {"proxies": {"de": {"upstreams": ["http://p.test:8080"]}}},
            "proxies.de.upstreams",
            "a port of egress.proxy_ports (3128, 1080)",
        ),
        (
            {"egress": {}, "proxies": {"de": {"upstreams": POOL["upstreams"][:1]}}},
            "proxies.de.upstreams",
            "a port of egress.proxy_ports (none)",
        ),
        ({"proxies": {"de": {"upstreams": ["ftp://p.test:3128"]}}}, "proxies.de.upstreams", "socks5://host:port"),
        (
            {"proxies": {"de": {"upstreams": ["http://ada:hunter2@p.test:3128"]}}},
            "proxies.de.upstreams",
            "no credentials in the URL",
        ),
        ({"proxies": {"de": {**POOL, "credentials": "login"}}}, "proxies.de.credentials", "`secrets.backend`"),
        ({"proxies": {"de": {**POOL, "tenants": []}}}, "proxies.de.tenants", "at least one tenant"),
        ({"proxies": {"de": {**POOL, "tenants": ["A"]}}}, "proxies.de.tenants", "globs of tenants"),
        (
            {"proxies": {"de": POOL}, "tenants": {"acme": {"proxy": "fr"}}},
            "tenants.acme.proxy",
            "the name of a policy in [proxies] (de)",
        ),
        ({"tenants": {"acme": {"proxy": "direct"}}}, "tenants.acme.proxy", "leave it out"),
        (
            {"proxies": {"de": {**POOL, "tenants": ["other"]}}, "tenants": {"acme": {"proxy": "de"}}},
            "tenants.acme.proxy",
            "add it to `tenants` of [proxies.de]",
        ),
        ({"tenants": {"acme": {"proxy_required": True}}}, "tenants.acme.proxy_required", "`proxy` to be set too"),
        ({"egress": {"proxy_ca": Path("/nonexistent/ca.pem")}}, "egress.proxy_ca", "a readable PEM file"),
        ({"egress": {"proxy_ca": Path("/dev/null")}}, "egress.proxy_ca", "it contains no certificate"),
        ({"egress": {"proxy_ports": [0]}}, "egress.proxy_ports", "1 to 65535"),
        ({"egress": {"proxy_ports": list(range(1, 257))}}, "egress.proxy_ports", "at most 256"),
        (
            {
                "egress": {**PORTS, "hosts": {f"h{n}.test": "10.0.0.1" for n in range(2047)}},
                "proxies": {"de": POOL},
            },
            "proxies",
            "at most 2048",
        ),
    ],
)
def test_a_broken_rule_names_its_setting_and_the_way_out(given: Mapping[str, Any], key: str, told: str) -> None:
    ((found, *texts),) = findings(given)
    assert found == key
    assert told in " ".join(texts)
