"""compose.yaml hardens both containers as docs/container.md says, and make-secrets.sh writes what it needs."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pw_servers import redis_server

from pageworker_supervisor.config.load import load
from pageworker_supervisor.redis_client.users import USERS, user_lines

FOLDER = Path(__file__).parents[2] / "deploy" / "container"
# Any: a document of YAML.
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


@pytest.mark.parametrize("name", ["redis", "worker"])
def test_each_container_has_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] == "10001:10001"
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "devices", "ports", "network_mode", "pid", "ipc"} & service.keys()


def test_the_worker_has_its_policy_and_a_proc_of_its_own() -> None:
    (policy,) = [word.partition("=")[2] for word in SERVICES["worker"]["security_opt"] if word.startswith("seccomp=")]
    assert (FOLDER / policy).samefile(FOLDER.parents[1] / "seccomp" / "container.json")
    assert "systempaths=unconfined" in SERVICES["worker"]["security_opt"]
    assert SERVICES["worker"]["tmpfs"]


def test_redis_is_reachable_by_the_worker_alone() -> None:
    assert SERVICES["redis"]["networks"] == ["queue"]
    assert COMPOSE["networks"]["queue"]["internal"] is True


def test_no_secret_is_in_the_file() -> None:
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    assert urlsplit(SERVICES["worker"]["environment"]["PAGEWORKER_REDIS__URL"]).password is None


def test_the_health_check_is_that_of_the_image() -> None:
    containerfile = (FOLDER.parents[1] / "Containerfile").read_text()
    _, *words = SERVICES["worker"]["healthcheck"]["test"]
    assert f"CMD {json.dumps(words)}" in containerfile


def test_its_worker_stops_before_compose_kills_it(tmp_path: Path) -> None:
    variables = dict(SERVICES["worker"]["environment"])
    assert variables["PAGEWORKER_REDIS__PASSWORD_FILE"].removeprefix("/run/secrets/") in SERVICES["worker"]["secrets"]
    password = tmp_path / "password"
    password.write_text("x")
    variables["PAGEWORKER_REDIS__PASSWORD_FILE"] = str(password)
    settings = load(FOLDER / "worker" / "pageworker.toml", variables)
    assert settings.worker.drain_seconds < float(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder `secrets` of a copy."""
    for part in ("deploy/container/make-secrets.sh", "supervisor/pageworker_supervisor/redis_client/pageworker.acl"):
        copy = tmp_path / part
        copy.parent.mkdir(parents=True)
        shutil.copy(FOLDER.parents[1] / part, copy)
    script = tmp_path / "deploy/container/make-secrets.sh"
    subprocess.run([str(script)], check=True, capture_output=True)
    assert subprocess.run([str(script)], capture_output=True).returncode != 0, "it replaces nothing"
    return script.parent / "secrets"


def test_the_passwords_open_a_redis_with_the_permissions_of_the_shipped_users(made: Path) -> None:
    passwords = {name: (made / f"{name}.password").read_text() for name in USERS}
    assert len({len(word) for word in passwords.values()} | {64}) == 1
    assert (made / "users.acl").read_text().splitlines() == user_lines("pw", passwords)
    for file in made.iterdir():
        assert file.stat().st_mode & 0o077 == 0
        assert file.stat().st_uid == (10001 if os.geteuid() == 0 else os.geteuid())
    with redis_server() as server:
        for line in (made / "users.acl").read_text().splitlines()[1:]:
            server.command("ACL", "SETUSER", *line.split()[1:])
        for name in USERS:
            with server.client(name, passwords[name]) as client:
                assert client.ping()
