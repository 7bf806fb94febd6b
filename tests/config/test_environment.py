"""Environment variables as settings."""

from typing import Any

import pytest

from pageworker_supervisor.config.environment import Overrides, merge, nested
from pageworker_supervisor.config.settings import Settings


def read(**environ: str) -> Overrides:
    overrides = Overrides(Settings)
    overrides.read(environ)
    return overrides


@pytest.mark.parametrize(
    ("name", "text", "tree"),
    [
        ("PAGEWORKER_REDIS__URL", "redis://a", {"redis": {"url": "redis://a"}}),
        ("PAGEWORKER_POOL__PAGES", "3", {"pool": {"pages": 3}}),
        ("PAGEWORKER_ARTIFACTS__ON_FAILURE", "false", {"artifacts": {"on_failure": False}}),
        ("PAGEWORKER_EGRESS__PORTS", "[80, 81]", {"egress": {"ports": (80, 81)}}),
        ("PAGEWORKER_EGRESS__HOSTS__SHOP", "127.0.0.1", {"egress": {"hosts": {"shop": "127.0.0.1"}}}),
        ("PAGEWORKER_TENANTS", '{"acme": {"weight": 2}}', {"tenants": {"acme": {"weight": 2.0}}}),
        ("PAGEWORKER_TENANTS", "{acme = {weight = 2}}", {"tenants": {"acme": {"weight": 2.0}}}),
        ("PAGEWORKER_TENANTS__ACME__BURST", "7", {"tenants": {"acme": {"burst": 7}}}),
    ],
)
def test_a_variable_sets_one_setting(name: str, text: str, tree: dict[str, Any]) -> None:
    overrides = read(**{name: text})
    assert overrides.tree == tree
    assert list(overrides.sources.values()) == [name]
    assert overrides.problems == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PATH", "/bin"),
        ("PAGEWORKER_CONFIG", "/etc/pageworker.toml"),
        # The links of Services named pageworker, pageworker-redis, pageworker-metrics, pageworker--x.
        ("PAGEWORKER_SERVICE_HOST", "10.0.0.1"),
        ("PAGEWORKER_SERVICE_PORT", "9470"),
        ("PAGEWORKER_SERVICE_PORT_HTTP_API", "9470"),
        ("PAGEWORKER_PORT", "tcp://10.0.0.1:9470"),
        ("PAGEWORKER_PORT_9470_TCP", "tcp://10.0.0.1:9470"),
        ("PAGEWORKER_REDIS_SERVICE_HOST", "fd00::7"),
        ("PAGEWORKER_REDIS_SERVICE_PORT", "6379"),
        ("PAGEWORKER_REDIS_PORT", "tcp://10.0.0.7:6379"),
        ("PAGEWORKER_REDIS_PORT", "tcp://[fd00::7]:6379"),
        ("PAGEWORKER_REDIS_PORT_6379_TCP", "tcp://10.0.0.7:6379"),
        ("PAGEWORKER_REDIS_PORT_6379_TCP_PROTO", "tcp"),
        ("PAGEWORKER_REDIS_PORT_6379_TCP_PORT", "6379"),
        ("PAGEWORKER_REDIS_PORT_6379_TCP_ADDR", "10.0.0.7"),
        ("PAGEWORKER_METRICS_PORT_9470_UDP", "udp://10.0.0.7:9470"),
        ("PAGEWORKER__X_PORT", "tcp://10.0.0.7:1"),
    ],
)
def test_other_variables_are_ignored(name: str, text: str) -> None:
    overrides = read(**{name: text})
    assert (overrides.tree, overrides.problems) == ({}, [])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("PAGEWORKER_REDIS_PORT", "6400", "`PAGEWORKER_REDIS__PORT`"),
        ("PAGEWORKER_REDIS_PORT", "redis://h:1", "`PAGEWORKER_REDIS__PORT`"),
        ("PAGEWORKER_PORT", "9470", "`redis.port`"),
        ("PAGEWORKER_REDIS__PORT", "tcp://10.0.0.7:6379", "a whole number"),
        ("PAGEWORKER_REDIS_SERVICE_HOST", "redis.example", "the name of a setting"),
    ],
)
def test_a_mistake_that_looks_like_a_service_link_is_a_mistake(name: str, text: str, words: str) -> None:
    (problem,) = read(**{name: text}).problems
    assert words in problem.render()


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read(PAGEWORKER_POOL__PAGES="").tree == {}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("PAGEWORKER_REDIS_URL", "x", "`PAGEWORKER_REDIS__URL`"),
        ("PAGEWORKER_POOL__PAGE", "3", "`pool.pages`"),
        ("PAGEWORKER_REDIS__URL__X", "1", "the name of a setting"),
        ("PAGEWORKER_EGRESS__PORTS", "{", "write JSON"),
        ("PAGEWORKER_EGRESS__PORTS", "[" * 100_000, "write JSON"),
        ("PAGEWORKER_POOL__PAGES", "many", "a whole number"),
        ("PAGEWORKER_STATUS_PAGE__THUMBNAILS", "true", "not supported yet"),
    ],
)
def test_a_mistake_names_the_variable_and_how_to_fix_it(name: str, text: str, words: str) -> None:
    overrides = read(**{name: text})
    (problem,) = overrides.problems
    assert problem.source == name
    assert words in problem.render()
    assert overrides.tree == {}


def test_tables_are_merged_key_by_key() -> None:
    base: dict[str, Any] = {"a": {"b": 1, "c": 2}, "d": [1]}
    merge(base, {"a": {"c": 3}, "d": [2], "e": {}})
    assert base == {"a": {"b": 1, "c": 3}, "d": [2], "e": {}}
    assert nested(("a", "b"), 1) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PAGEWORKER_TENANTS__ACME__CALLBACK_HEADERS", '{"X-Token": "geheim"'),
        ("PAGEWORKER_TENANTS__ACME__CALLBACK_HEADERS", "X-Token: geheim"),
        ("PAGEWORKER_TENANTS", '{"acme": {"callback_headers": {"X-Token": "geheim"}}'),
        ("PAGEWORKER_TENANTS__ACME", '{"callback_headers": {"X-Token": ["geheim"]}}'),
    ],
)
def test_a_secret_in_an_unreadable_variable_is_not_shown(name: str, text: str) -> None:
    (problem,) = read(**{name: text}).problems
    assert "geheim" not in problem.render()


def test_a_broken_table_of_a_profiles_options_is_not_shown() -> None:
    broken = {"PAGEWORKER_PROFILES__PAGE": '{"a/b": {"http_credentials": {"password": "s3cret"'}
    overrides = Overrides(Settings)
    overrides.read(broken)
    (problem,) = overrides.problems
    assert problem.key == "profiles.page"
    assert "s3cret" not in str(problem)
