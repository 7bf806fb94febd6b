"""Redis clients from the settings: which URL, which credentials, and errors that name the setting."""

from pathlib import Path

import pytest
from pw_servers import RedisServer

from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.settings import RedisSettings
from pageworker_supervisor.redis_client import connect, connect_embedded, open_redis_client
from pageworker_supervisor.redis_client.redis_folder import RedisFolder


async def test_the_ingress_is_the_same_client_unless_it_has_a_url() -> None:
    alone = connect(RedisSettings(url="redis://queue"))
    assert alone.ingress is alone
    both = connect(RedisSettings(url="redis://queue", ingress_url="redis://:secret@near"))
    assert both.ingress is not both
    assert "near" in both.ingress.safe_url
    assert "secret" not in both.ingress.safe_url
    await both.aclose()
    await alone.aclose()


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        (RedisSettings(url="http://h"), "redis.url"),
        (RedisSettings(url="redis://h", ingress_url="redis://a,b"), "redis.ingress_url"),
    ],
)
def test_a_wrong_url_is_named_by_its_setting(settings: RedisSettings, setting: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        connect(settings)
    assert [problem.key for problem in caught.value.problems] == [setting]


def test_without_a_url_there_is_nothing_to_connect_to() -> None:
    with pytest.raises(ValueError, match="open_redis_client"):
        connect(RedisSettings())


async def test_the_password_file_replaces_the_password_of_the_url(live_redis: RedisServer, tmp_path: Path) -> None:
    live_redis.command("ACL", "SETUSER", "filed", "on", ">from-file", "~*", "+@all")
    file = tmp_path / "password"
    file.write_text("from-file\n")
    url = f"redis://filed:wrong@127.0.0.1:{live_redis.port}"
    try:
        async with open_redis_client(RedisSettings(url=url, password_file=file), tmp_path) as redis_client:
            assert await redis_client.send("ACL", "WHOAMI", key="k") == b"filed"
    finally:
        live_redis.command("ACL", "DELUSER", "filed")


def test_the_embedded_server_is_found_through_its_folder(tmp_path: Path) -> None:
    folder = RedisFolder(tmp_path)
    folder.make()
    folder.prepare(None)
    redis_client = connect_embedded(RedisSettings(), tmp_path)
    assert redis_client.safe_url.startswith("unix://")
    assert redis_client.ingress is redis_client


async def test_the_ingress_has_a_password_file_of_its_own(live_redis: RedisServer, tmp_path: Path) -> None:
    live_redis.command("ACL", "SETUSER", "filed", "on", ">from-file", "~*", "+@all")
    file = tmp_path / "password"
    file.write_text("from-file\n")
    settings = RedisSettings(
        url=live_redis.url,
        ingress_url=f"redis://filed@127.0.0.1:{live_redis.port}",
        ingress_password_file=file,
    )
    try:
        async with open_redis_client(settings, tmp_path) as redis_client:
            assert await redis_client.ingress.send("ACL", "WHOAMI", key="k") == b"filed"
            assert await redis_client.send("ACL", "WHOAMI", key="k") == b"default"
    finally:
        live_redis.command("ACL", "DELUSER", "filed")
