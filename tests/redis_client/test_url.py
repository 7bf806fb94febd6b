"""Redis URLs are read, or refused with a hint."""

import pytest

from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.redis_client.url import Topology, parse_url


def test_one_server() -> None:
    url = parse_url("rediss://user:p%40ss@cache.example/3")
    assert (url.topology, url.tls, url.hosts, url.db) == (Topology.SINGLE, True, (("cache.example", 6379),), 3)
    assert (url.username, url.password) == ("user", "p@ss")


def test_password_alone() -> None:
    assert parse_url("redis://:secret@h").username is None


def test_sentinels() -> None:
    url = parse_url("redis+sentinel://u:p@a:1,b,[::1]:3/mymaster?db=2&sentinel_username=s&sentinel_password=x")
    assert url.topology is Topology.SENTINEL
    assert url.hosts == (("a", 1), ("b", 26379), ("::1", 3))
    assert (url.service, url.db, url.sentinel_username, url.sentinel_password) == ("mymaster", 2, "s", "x")
    assert not url.tls
    assert parse_url("rediss+sentinel://a/m").tls


def test_cluster() -> None:
    url = parse_url("redis+cluster://a:7000,b:7001")
    assert (url.topology, url.hosts) == (Topology.CLUSTER, (("a", 7000), ("b", 7001)))


def test_unix_socket() -> None:
    url = parse_url("unix://u:p@/run/redis.sock?db=1")
    assert (url.topology, url.path, url.db, url.username) == (Topology.UNIX, "/run/redis.sock", 1, "u")


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:hunter2@h",
        "redis://:hunter2@h",
        "redis+sentinel://a/m?sentinel_password=hunter2",
        "unix://u:hunter2@/s",
    ],
)
def test_the_safe_form_shows_no_password(url: str) -> None:
    assert "hunter2" not in parse_url(url).safe


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://h", "`http` is not a supported scheme"),
        ("localhost:6379", "no scheme"),
        ("redis://", "is not host or host:port"),
        ("redis://h:0", "ports are 1 to 65535"),
        ("redis://h:99999", "1 to 65535"),
        ("redis://:pa/ss@h:6379/0", "write / as %2F"),
        ("redis://:pa?ss@h:6379/0", "write / as %2F"),
        ("redis://:pa#ss@h:6379/0", "write / as %2F"),
        ("redis://h/x", "not a database number"),
        ("redis://a,b", "several hosts"),
        ("redis://h?timeout=1", "`timeout` is not an option"),
        ("redis+sentinel://a:1", "the name of the service"),
        ("redis+sentinel://a:1/x/y", "the name of the service"),
        ("redis+cluster://a/1", "no databases"),
        ("redis+cluster://" + ",".join("h" for _ in range(65)), "at most 64"),
        ("unix://relative", "absolute path"),
    ],
)
def test_a_url_that_means_nothing_says_how_to_mend_it(url: str, hint: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse_url(url, "redis.ingress_url")
    (problem,) = caught.value.problems
    assert problem.key == "redis.ingress_url"
    assert hint in problem.hint
    assert "redis+cluster://" in problem.expected


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:hunter2@h/x",
        "redis://:a/hunter2@h:6379/0",
        "redis://:a?hunter2@h:6379/0",
        "redis://:a#hunter2@h:6379/0",
        "redis:u:hunter2@h",
        "redis://:hunter2",
        "redis://u:hunter2/0",
    ],
)
def test_a_refusal_shows_no_password(url: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        parse_url(url)
    assert "hunter2" not in str(caught.value)
