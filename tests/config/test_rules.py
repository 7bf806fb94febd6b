"""Rules between settings: one broken at a time, and which setting is named."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pageworker_sandbox.sandbox_rights import NAMES
from pageworker_supervisor.config.limit_settings import LimitSettings, SharedLimits
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.rules import broken_rules
from pageworker_supervisor.config.settings import EgressSettings, RedisSettings, Settings, TenantSettings

GOOD_KEY = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"


def broken(**sections: dict[str, Any]) -> dict[str, str]:
    """What was expected, by the key of each broken rule. The sections have these changes."""
    settings = Settings()
    for name, changes in sections.items():
        settings = replace(settings, **{name: replace(getattr(settings, name), **changes)})
    return {problem.key: problem.expected for problem in broken_rules(settings, lambda path: ".".join(path))}


def test_the_defaults_break_no_rule() -> None:
    assert broken() == {}


@pytest.mark.parametrize(
    ("section", "changes", "key"),
    [
        ("redis", {"url": "redsi://h"}, "redis.url"),
        ("limits", {"modules": {"Shop@1": SharedLimits()}}, "limits.modules.Shop@1"),
        ("redis", {"url": "redis://"}, "redis.url"),
        ("redis", {"ingress_url": "http://h"}, "redis.ingress_url"),
        ("redis", {"password_file": Path("/nope")}, "redis.password_file"),
        ("redis", {"url": "redis://h", "password_file": Path("/nope")}, "redis.password_file"),
        ("redis", {"url": "redis://:x@h", "password_file": Path("/dev/null")}, "redis.password_file"),
        ("redis", {"url": "redis://h", "password_file": Path("/dev/null")}, "redis.password_file"),
        ("redis", {"ca_file": Path("/nope")}, "redis.ca_file"),
        ("redis", {"ca_file": Path("/dev/null")}, "redis.ca_file"),
        ("browser", {"executable": Path("/dev/null")}, "browser.executable"),
        ("sandbox", {"python": Path("/nope")}, "sandbox.python"),
        ("sandbox", {"uids": 9}, "sandbox.uids"),
        ("sandbox", {"require": ("own_uid", "landlock.net")}, "sandbox.require"),
        ("sandbox", {"require": ()}, "sandbox.require"),
        ("worker", {"data_dir": Path("/dev/null")}, "worker.data_dir"),
        ("worker", {"tags": tuple(f"t{number}" for number in range(17))}, "worker.tags"),
        ("egress", {"hosts": {"*.example": "127.0.0.1"}}, "egress.hosts.*.example"),
        ("egress", {"hosts": {"a.example": "nowhere"}}, "egress.hosts.a.example"),
        ("egress", {"ports": (0,)}, "egress.ports"),
        ("modules", {"trusted_keys": (GOOD_KEY[:-1] + "!",)}, "modules.trusted_keys"),
        ("modules", {"trusted_keys": ("/nope.pub",)}, "modules.trusted_keys"),
        ("modules", {"registry": "ftp://h/x"}, "modules.registry"),
        ("modules", {"registry": "/nope"}, "modules.registry"),
        ("artifacts", {"url": "file://"}, "artifacts.url"),
        ("jobs", {"retry_base_seconds": 301.0}, "jobs.retry_base_seconds"),
        ("artifacts", {"links": "signed"}, "artifacts.links"),
        ("artifacts", {"url": "file:///srv/a", "links": "signed"}, "artifacts.links"),
        ("artifacts", {"url": "memory:///"}, "artifacts.links"),
        ("artifacts", {"keep_days_of": {"trace": 14.0}}, "artifacts.keep_days_of.trace"),
        ("artifacts", {"url": "s3://bucket/x", "keep_days_of": {"har": 2.0}}, "artifacts.keep_days_of.har"),
        ("callbacks", {"max_seconds": 1.0}, "callbacks.timeout_seconds"),
        ("http", {"bind": "127.0.0.1:70000"}, "http.bind"),
        ("checks", {"redis_version": "off"}, "checks.redis_version"),
        ("checks", {"redis_eviction": "off"}, "checks.redis_eviction"),
        ("checks", {"queue_schema": "off"}, "checks.queue_schema"),
        ("profiles", {"page": {"acme": {}}}, "profiles.page.acme"),
        ("profiles", {"page": {"acme/p": {"local": "de"}}}, "profiles.page.acme/p.local"),
        ("profiles", {"page": {"acme/p": {"ca": "ca.pem"}}}, "profiles.page.acme/p.ca"),
        ("profiles", {"page": {"*/*": {"http_credentials": "s3cret"}}}, "profiles.page.*/*.http_credentials"),
        ("http", {"allowed_hosts": ("http://a",)}, "http.allowed_hosts"),
    ],
)
def test_a_broken_rule_names_its_setting(section: str, changes: dict[str, Any], key: str) -> None:
    found = broken(**{section: changes})
    assert list(found) == [key]
    assert found[key]
    assert "s3cret" not in str(found[key])


@pytest.mark.parametrize(
    ("section", "changes"),
    [
        ("redis", {"url": "redis+sentinel://a:1,b:2/main"}),
        ("redis", {"url": "unix:///run/redis.sock"}),
        ("sandbox", {"require": NAMES}),
        ("egress", {"hosts": {"a.example": "127.0.0.1:80", "b.example": "::1"}}),
        ("modules", {"trusted_keys": (GOOD_KEY,), "registry": "/srv"}),
        ("artifacts", {"url": "s3://bucket/x"}),
        ("artifacts", {"keep_days_of": {"trace": 2.0}}),
        ("artifacts", {"url": "s3://bucket/x", "links": "signed"}),
        ("artifacts", {"url": "memory:///", "links": "plain"}),
        ("artifacts", {"links": "plain"}),
        ("http", {"allowed_hosts": ("a.example", "*.svc.example")}),
        ("profiles", {"page": {"acme/Berlin-*": {"locale": "de-DE"}, "*/*": {}}}),
    ],
)
def test_valid_values_break_none(section: str, changes: dict[str, Any]) -> None:
    assert broken(**{section: changes}) == {}


@pytest.mark.parametrize(
    ("name", "tenant", "key"),
    [
        ("Acme", TenantSettings(), "tenants.Acme"),
        ("acme", TenantSettings(egress=("http://a",)), "tenants.acme.egress"),
        ("acme", TenantSettings(block=("images",)), "tenants.acme.block"),
        ("acme", TenantSettings(block_hosts=("http://a",)), "tenants.acme.block_hosts"),
        (
            "acme",
            TenantSettings(callback_allow=("ftp://a",), callback_secret_file=Path("/nope")),
            "tenants.acme.callback_allow",
        ),
        ("acme", TenantSettings(callback_allow=("https://a",)), "tenants.acme.callback_allow"),
        ("acme", TenantSettings(callback_secret_file=Path("/nope")), "tenants.acme.callback_secret_file"),
        ("acme", TenantSettings(callback_headers={"X-Token": "x"}), "tenants.acme.callback_headers"),
        ("acme", TenantSettings(callback_headers={"Host": "x"}), "tenants.acme.callback_headers"),
        ("acme", TenantSettings(callback_headers={"X-Token": "ü"}), "tenants.acme.callback_headers.X-Token"),
    ],
)
def test_rules_of_a_tenant(name: str, tenant: TenantSettings, key: str) -> None:
    settings = replace(Settings(), tenants={name: tenant})
    assert key in {problem.key for problem in broken_rules(settings, lambda path: "")}


def test_each_shard_needs_a_permit_of_the_fleet_and_of_a_module() -> None:
    three = SharedLimits(concurrency=3)
    limits = {"fleet": three, "modules": {"shop.*": three}}
    keys = set(broken(redis={"shards": 4}, limits=limits))
    assert keys == {"limits.fleet.concurrency", "limits.modules.shop.*.concurrency"}
    assert broken(redis={"shards": 3}, limits=limits) == {}
    assert broken(redis={"shards": 4}, limits={"fleet": LimitSettings().fleet}) == {}


def test_no_rule_shows_the_password_of_a_url() -> None:
    url = "http://ada:hunter2@p.test:3128"
    settings = Settings(
        proxies={"de": ProxySettings(upstreams=(url,))},
        redis=RedisSettings(url="redsi://:hunter2@h"),
        modules=ModuleSettings(registry="ftp://ada:hunter2@h/x"),
        egress=EgressSettings(hosts={"a.example": url}),
        tenants={"acme": TenantSettings(egress=(url,), proxy=url)},
    )
    problems = broken_rules(settings, lambda path: ".".join(path))
    keys = {problem.key for problem in problems}
    assert {
        "proxies.de.upstreams",
        "redis.url",
        "modules.registry",
        "tenants.acme.egress",
        "tenants.acme.proxy",
    } <= keys
    assert "egress.hosts.a.example" in keys
    assert "hunter2" not in "".join(problem.render() for problem in problems)
    assert '"redsi://:(hidden)@h"' in {problem.found for problem in problems}


def test_the_api_of_a_worker_needs_an_address() -> None:
    assert list(broken(api={"with_worker": True})) == ["api.with_worker"]
    assert broken(api={"with_worker": True, "bind": "127.0.0.1:0"}) == {}
