"""`workerctl secrets check`: the backend and each named secret, without a worker and without Redis."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from cli.commands import valid_json
from pw_servers.openbao import openbao

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.telemetry import log

VALUE = "correct-horse-battery-staple"

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Redis answers, and the settings do not need one."""
    monkeypatch.setenv("PAGEWORKER_REDIS__URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("PAGEWORKER_CONFIG__CENTRAL", "off")
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path))


def configure(monkeypatch: pytest.MonkeyPatch, **sections: Any) -> None:
    for name, section in sections.items():
        monkeypatch.setenv(f"PAGEWORKER_{name.upper()}", json.dumps(section))


def grants(*names: str, tenants: tuple[str, ...] = ("acme",)) -> dict[str, Any]:
    return {name: {"tenants": list(tenants), "modules": ["*"]} for name in names}


def checked(output: Output) -> tuple[dict[str, Any], dict[tuple[str, str], dict[str, Any]]]:
    """The backend, and the secrets by tenant and name. No output has a value."""
    out, err = output.readouterr()
    assert VALUE not in out + err
    answer = valid_json("secrets check", out)
    return answer["backend"], {(each["tenant_id"], each["name"]): each for each in answer["secrets"]}


def store(folder: Path, name: str, value: str = VALUE, mode: int = 0o600) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(value)
    file.chmod(mode)


def test_files_that_can_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    store(tmp_path, "acme/login")
    store(tmp_path, "acme/hook")
    store(tmp_path, "_fleet/otlp")
    configure(
        monkeypatch,
        secrets={"backend": "files", "files": {"folder": str(tmp_path)}, "grants": grants("login", "shop_*")},
        tenants={"acme": {"callback_secret": "hook"}},
        tracing={"header_secrets": {"Authorization": "otlp"}},
    )
    assert run(["secrets", "check", "--json"]) == 0
    backend, found = checked(capsys)
    assert backend == {"kind": "files", "state": "ok", "reason": "", "login_ends_in_seconds": None}
    assert {key: each["state"] for key, each in found.items()} == {
        ("_fleet", "otlp"): "ok",
        ("acme", "hook"): "ok",
        ("acme", "login"): "ok",
        ("acme", "shop_*"): "not_checked",
    }


def test_what_is_wrong_is_said_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    store(tmp_path, "acme/open", mode=0o644)
    store(tmp_path, "acme/hook", VALUE[:15])
    store(tmp_path, "_fleet/otlp", VALUE + "ä")
    store(tmp_path, "_fleet/proxy", VALUE)
    configure(
        monkeypatch,
        secrets={"backend": "files", "files": {"folder": str(tmp_path)}, "grants": grants("open", "gone")},
        tenants={"acme": {"callback_secret": "hook"}},
        tracing={"header_secrets": {"Authorization": "otlp"}},
        proxies={"home": {"upstreams": ["http://127.0.0.1:3128"], "credentials": "proxy"}},
        egress={"proxy_ports": [3128]},
    )
    assert run(["secrets", "check", "--json"]) == 1
    backend, found = checked(capsys)
    assert backend["state"] == "ok"
    assert {name: each["state"] for (_, name), each in found.items()} == {
        "otlp": "unusable",
        "proxy": "unusable",
        "hook": "unusable",
        "open": "refused",
        "gone": "missing",
    }
    assert "mode 0644" in found["acme", "open"]["reason"]
    assert "no file acme/gone" in found["acme", "gone"]["reason"]
    assert found["acme", "hook"]["reason"] == "fewer than 16 bytes"
    assert "user:password" in found["_fleet", "proxy"]["reason"]


def test_a_tenant_that_a_glob_covers(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("SECRET__TEAM_A__LOGIN", VALUE)
    configure(
        monkeypatch,
        secrets={
            "backend": "environment",
            "environment": {"allow": True},
            "grants": grants("login", tenants=("team-*",)),
        },
    )
    assert run(["secrets", "check", "--json"]) == 0
    assert checked(capsys)[1]["team-*", "login"]["state"] == "not_checked"
    assert run(["secrets", "check", "--tenant", "team-a", "--json"]) == 0
    assert checked(capsys)[1]["team-a", "login"]["state"] == "ok"
    assert run(["secrets", "check", "--tenant", "team-b", "--json"]) == 1
    assert "SECRET__TEAM_B__LOGIN is not set" in checked(capsys)[1]["team-b", "login"]["reason"]
    assert run(["secrets", "check", "--tenant", "_fleet"]) == 2


def test_the_table_has_the_same(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("SECRET__ACME__LOGIN", VALUE)
    configure(
        monkeypatch,
        secrets={"backend": "environment", "environment": {"allow": True}, "grants": grants("login", "gone")},
    )
    logged: list[str] = []
    sink = log.add(logged.append)
    try:
        assert run(["secrets", "check"]) == 1
    finally:
        log.remove(sink)
    assert logged == []
    out, err = capsys.readouterr()
    assert VALUE not in out + err
    first, head, *rows = out.splitlines()
    assert (first, err) == ("Backend: environment, ok", "")
    assert head.split() == ["TENANT", "SECRET", "STATE", "LEASE", "SETTING", "REASON"]
    assert rows[0].split() == ["acme", "login", "ok", "-", "secrets.grants.login"]
    assert rows[1].split()[:3] == ["acme", "gone", "missing"]
    assert "SECRET__ACME__GONE is not set" in rows[1]


def test_without_a_backend_there_is_nothing_to_check(capsys: Output) -> None:
    assert run(["secrets", "check"]) == 0
    assert "none (setting secrets.backend)" in capsys.readouterr().out


def test_a_backend_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    store(tmp_path, "token")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (1, silent.getsockname()[1]):
            vault = {"url": f"http://127.0.0.1:{port}", "token_file": str(tmp_path / "token"), "timeout_seconds": 60}
            configure(monkeypatch, secrets={"backend": "vault", "vault": vault, "grants": grants("login")})
            since = time.monotonic()
            assert run(["secrets", "check", "--json"]) == 3
            # The command waits for 1 s, whatever the worker's own patience is. The rest is for a busy host.
            assert time.monotonic() - since < 30
            backend, found = checked(capsys)
            assert backend["state"] == found["acme", "login"]["state"] == "away"
            assert "Vault does not answer" in backend["reason"]


def test_credentials_that_systemd_did_not_give(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    configure(monkeypatch, secrets={"backend": "systemd"})
    assert run(["secrets", "check", "--json"]) == 3
    assert "LoadCredential=" in checked(capsys)[0]["reason"]


def test_a_vault_says_when_login_and_lease_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Output) -> None:
    with openbao() as bao:
        bao.put("acme", "login", VALUE)
        store(tmp_path, "token", bao.token("1h"))
        vault = {"url": bao.url, "token_file": str(tmp_path / "token")}
        secrets = {"backend": "vault", "vault": vault, "lease_seconds": 120, "grants": grants("login", "gone")}
        configure(monkeypatch, secrets=secrets)
        assert run(["secrets", "check", "--json"]) == 1
        backend, found = checked(capsys)
        assert 3500 < backend["login_ends_in_seconds"] <= 3600
        assert (found["acme", "login"]["state"], found["acme", "login"]["lease_seconds"]) == ("ok", 120)
        assert found["acme", "gone"]["state"] == "missing"
        store(tmp_path, "token", "no-token-of-this-vault")
        assert run(["secrets", "check", "--json"]) == 1
        backend, found = checked(capsys)
        assert backend["state"] == found["acme", "login"]["state"] == "refused"
        assert "Vault refuses the login by token" in backend["reason"]


def test_a_central_configuration_that_is_away_is_noted(monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.setenv("PAGEWORKER_CONFIG__CENTRAL", "redis")
    assert run(["secrets", "check", "--json"]) == 0
    out, err = capsys.readouterr()
    assert valid_json("secrets check", out)["central_read"] is False
    assert "without the central configuration" in err


def test_the_group_alone_shows_its_help(capsys: Output) -> None:
    assert run(["secrets"]) == 0
    assert "Usage: workerctl secrets" in capsys.readouterr().out
