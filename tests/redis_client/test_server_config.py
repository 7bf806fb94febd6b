"""The configuration of the embedded Redis: durable, closed, and without a password in it."""

import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from pw_servers.ports import free_port
from pw_servers.waiting import until

from pageworker_supervisor.redis_client.server_config import MAX_TEXT_BYTES, server_config
from pageworker_supervisor.redis_client.users import USERS

pytestmark = pytest.mark.redis


def answers(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_the_configuration_is_as_durable_as_promised(tmp_path: Path) -> None:
    """No user may ask the embedded server: so another one is started with its text, and a user who may."""
    config = server_config(0, "pw", dict.fromkeys(USERS, "x")).replace("port 0", f"port {free_port()}")
    file = tmp_path / "redis.conf"
    file.write_text(f"{config}user asks on nopass +@all ~*\ndir {tmp_path}\n")
    (port,) = (int(line.split()[1]) for line in config.splitlines() if line.startswith("port "))
    with subprocess.Popen(["redis-server", str(file)], stdout=subprocess.DEVNULL) as process:
        try:
            with closing(redis.Redis(port=port, username="asks", password="")) as client:
                until(lambda: answers(client), "it answers")
                # Any: redis-py types a reply as a union of all protocols' shapes.
                found: Any = client.config_get("*")
                client.rpush("pw:inbox", b"x" * MAX_TEXT_BYTES)
                with pytest.raises(redis.exceptions.RedisError):
                    client.rpush("pw:inbox", b"x" * (MAX_TEXT_BYTES + 1))
                length = client.llen("pw:inbox")
        finally:
            process.terminate()
    assert (found["appendonly"], found["appendfsync"], found["maxmemory-policy"]) == ("yes", "always", "noeviction")
    assert length == 1, "a worker would read the larger text as a whole"
    assert (found["enable-debug-command"], found["enable-module-command"]) == ("no", "no")


def test_the_text_holds_no_password_and_no_port_for_others() -> None:
    text = server_config(6399, "shop", {user: f"secret-of-{user}" for user in USERS})
    assert "secret-of" not in text
    assert "port 6399" in text.splitlines()
    assert "bind 127.0.0.1" in text.splitlines()
    assert "unixsocketperm 700" in text.splitlines()
    assert "enable-debug-command no" in text.splitlines()
    assert "~shop:*" in text
    assert "~pw:*" not in text
