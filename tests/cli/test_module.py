"""`workerctl module` as a user calls it: from an empty folder to a registry that a worker reads."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pw_modules.minisign import minisign

from pageworker_sandbox.signing import ModuleError
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.registry import Registry, load_trust

BUNDLE = "acme.prices-0.1.0.zip"


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def key(_here: None) -> str:
    assert run(["key", "new", "release", "-W"]) == 0
    return "release.key"


@pytest.fixture
def signed(key: str, capsys: pytest.CaptureFixture[str]) -> str:
    for line in ("new acme.prices", "pack acme.prices", f"sign {BUNDLE} --key {key}"):
        assert run(["module", *line.split()]) == 0
    capsys.readouterr()
    return BUNDLE


def published(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, object]:
    assert run(["module", "publish", BUNDLE, "--registry", "shelf", "--key", "release.key", "--json", *more]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_minisign_and_workerctl_verify_each_other(signed: str, key: str) -> None:
    assert run(["module", "verify", signed, "--key", "release.pub"]) == 0
    assert minisign("-V", "-m", signed, "-p", "release.pub").returncode == 0
    assert minisign("-S", "-s", key, "-m", signed).returncode == 0
    assert run(["module", "verify", signed, "--trusted", "release.pub"]) == 0


def test_a_bundle_goes_where_it_is_told_and_to_the_channel_that_is_named(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out").mkdir()
    for line in ("new acme.prices", "pack acme.prices --output out", f"sign out/{BUNDLE} --key {key}"):
        assert run(["module", *line.split()]) == 0
    place = ["--registry", "shelf", "--json"]
    capsys.readouterr()
    assert run(["module", "publish", f"out/{BUNDLE}", *place, "--key", key, "--channel", "canary"]) == 0
    assert json.loads(capsys.readouterr().out)["channel"] == "canary"
    assert run(["module", "list", *place, "--trusted", "release.pub"]) == 0
    assert json.loads(capsys.readouterr().out)["modules"]["acme.prices"]["channels"] == {"canary": "0.1.0"}


def test_verify_shows_the_description(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["module", "new", "acme.prices"]) == 0
    manifest = Path("acme.prices/module.toml")
    lines = [line for line in manifest.read_text().splitlines() if not line.startswith("description")]
    manifest.write_text("\n".join(['description = "Reads prices.\\u001b[31m"', *lines]))
    for line in ("pack acme.prices", f"sign {BUNDLE} --key {key}"):
        assert run(["module", *line.split()]) == 0
    capsys.readouterr()
    assert run(["module", "verify", BUNDLE, "--key", "release.pub"]) == 0
    assert "\nReads prices." in (told := capsys.readouterr().out)
    assert "\x1b" not in told
    assert run(["module", "verify", BUNDLE, "--key", "release.pub", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["description"] == "Reads prices.\x1b[31m"


def test_verify_refuses_with_4(signed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "new", "other", "-W"]) == 0
    assert run(["module", "verify", signed, "--key", "other.pub"]) == 4
    assert run(["module", "verify", signed]) == 4
    assert "modules.trusted_keys" in capsys.readouterr().err
    Path(signed).write_bytes(Path(signed).read_bytes() + b"\0")
    assert run(["module", "verify", signed, "--key", "release.pub"]) == 4
    Path(f"{signed}.minisig").unlink()
    assert run(["module", "verify", signed, "--key", "release.pub"]) == 4
    assert "is not signed" in capsys.readouterr().err


async def run_worker(tmp_path: Path) -> str:
    """The version of acme.prices that a worker runs."""
    registry = await Registry.open(tmp_path / "shelf", load_trust([str(tmp_path / "release.pub")]), tmp_path / "state")
    return (await registry.bundle(registry.resolve("acme.prices"))).version


def test_publish_list_channel_yank_refresh(signed: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = published(capsys)
    assert (first["name"], first["version"], first["channel"]) == ("acme.prices", "0.1.0", "stable")
    place = ["--registry", "shelf", "--json"]
    assert run(["module", "list", *place, "--trusted", "release.pub"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["modules"]["acme.prices"]["channels"] == {"stable": "0.1.0"}
    assert run(["module", "channel", "set", "acme.prices", "canary", "0.1.0", *place, "--key", "release.key"]) == 0
    moved = json.loads(capsys.readouterr().out)
    assert run(["module", "refresh-index", *place, "--key", "release.key", "--expiry-days", "1"]) == 0
    refreshed = json.loads(capsys.readouterr().out)
    assert refreshed["serial"] > moved["serial"] > first["serial"]
    assert refreshed["expires"] < moved["expires"]
    assert run(["module", "yank", "acme.prices", "0.1.0", *place, "--key", "release.key"]) == 4
    assert run(["module", "list", "--registry", "shelf", "--trusted", "release.pub"]) == 0
    assert "canary, stable" in capsys.readouterr().out


async def test_a_worker_takes_what_was_published(tmp_path: Path) -> None:
    """The commands run in separate processes, because each starts its own event loop."""
    workerctl = [sys.executable, "-c", "from pageworker_supervisor.cli.app import main; main()"]
    for line in (
        "key new release -W",
        "module new acme.prices",
        "module pack acme.prices",
        f"module sign {BUNDLE} --key release.key",
        f"module publish {BUNDLE} --registry shelf --key release.key",
    ):
        done = await asyncio.to_thread(
            subprocess.run, [*workerctl, *line.split()], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
    assert await run_worker(tmp_path) == "0.1.0"
    with pytest.raises(ModuleError):
        (await Registry.open(tmp_path / "shelf", load_trust([]), tmp_path / "other")).resolve("acme.prices")


def test_the_registry_and_the_keys_may_come_from_the_configuration(
    signed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("worker.toml").write_text(f'[modules]\nregistry = "{tmp_path}/shelf"\ntrusted_keys = ["release.pub"]\n')
    assert run(["module", "publish", signed, "--config", "worker.toml", "--key", "release.key"]) == 0
    assert run(["module", "list", "--config", "worker.toml"]) == 0
    assert run(["module", "verify", signed, "--config", "worker.toml"]) == 0
    assert "acme.prices" in capsys.readouterr().out
    Path("worker.toml").write_text("[modules]\nregistri = 1\n")
    assert run(["module", "list", "--config", "worker.toml"]) == 1
    assert "did you mean `modules.registry`?" in capsys.readouterr().err


def test_publish_refuses(signed: str, capsys: pytest.CaptureFixture[str]) -> None:
    published(capsys)
    where = ["--registry", "shelf", "--key", "release.key"]
    code = Path("acme.prices/acme_prices/__init__.py")
    code.write_text(code.read_text() + "\n# other bytes\n")
    for line in ("pack acme.prices", f"sign {signed} --key release.key"):
        assert run(["module", *line.split()]) == 0
    assert run(["module", "publish", signed, *where]) == 4
    assert "raise `version`" in capsys.readouterr().err
    Path(f"{signed}.minisig").write_bytes(b"nothing")
    assert run(["module", "publish", signed, *where]) == 4


def test_every_mistake_of_a_manifest_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["module", "new", "acme.prices"]) == 0
    manifest = Path("acme.prices/module.toml")
    manifest.write_text(
        manifest.read_text().replace('version = "0.1.0"', 'version = "one"').replace("tenants", "tenant")
    )
    assert run(["module", "pack", "acme.prices"]) == 1
    told = capsys.readouterr().err
    assert "module.toml:2: `version`: found 'one', expected a semantic version" in told
    assert "did you mean `tenants`?" in told
    assert not Path(BUNDLE).exists()


def test_missing_files_and_registries_are_errors(key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["module", "pack", "nowhere"]) == 1
    assert run(["module", "sign", "nowhere.zip", "--key", key]) == 1
    assert run(["module", "list", "--registry", "nowhere", "--trusted", "release.pub"]) == 1
    assert run(["module", "list", "--registry", "http://127.0.0.1:9/", "--trusted", "release.pub"]) == 1
    assert run(["module", "list", "--registry", "nonsense://x", "--trusted", "release.pub"]) == 1
    Path(BUNDLE).write_text("no zip")
    assert run(["module", "sign", BUNDLE, "--key", key]) == 4
    assert "Traceback" not in capsys.readouterr().err


def test_the_provenance_is_written_verified_and_published(signed: str, capsys: pytest.CaptureFixture[str]) -> None:
    statement = Path(f"{signed}.intoto.json")
    assert run(["module", "verify", signed, "--trusted", "release.pub", "--require-provenance", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["provenance"]["builder"].startswith("urn:pageworker:workerctl pageworker ")
    assert minisign("-V", "-m", str(statement), "-p", "release.pub").returncode == 0
    published(capsys)
    assert (Path("shelf") / statement.name).read_bytes() == statement.read_bytes()
    assert (Path("shelf") / f"{statement.name}.minisig").is_file()


def test_a_wrong_provenance_is_refused(signed: str, capsys: pytest.CaptureFixture[str]) -> None:
    statement = Path(f"{signed}.intoto.json")
    text = statement.read_bytes()
    statement.write_bytes(text.replace(b"finishedOn", b"finishedAt"))
    verify_it = ["module", "verify", signed, "--trusted", "release.pub"]
    publish_it = ["module", "publish", signed, "--registry", "shelf", "--key", "release.key"]
    assert (run(verify_it), run(publish_it)) == (4, 4)
    assert not Path("shelf").exists()
    Path(f"{statement}.minisig").unlink()
    assert run(verify_it) == 4
    assert "is not signed" in capsys.readouterr().err
    statement.unlink()
    assert (run(verify_it), run([*verify_it, "--require-provenance"])) == (0, 4)
    assert "has no provenance" in capsys.readouterr().err
