"""`workerctl key` as a user calls it."""

import json
import os
import stat
from pathlib import Path

import pytest
from pw_modules.minisign import minisign

from pageworker_sandbox.signing.keys import Cost
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.password import VARIABLE


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in a temporary folder, with a cheap key derivation: its cost is not tested here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("pageworker_sandbox.signing.keys.Cost", lambda *_: Cost(32768, 16 * 1024 * 1024))


def mode(name: str) -> int:
    return stat.S_IMODE(Path(name).stat().st_mode)


def test_new_show_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "new", "release", "--no-password", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["secret_file"], made["public_file"], made["protection"]) == ("release.key", "release.pub", "open")
    assert (mode("release.key"), mode("release.pub")) == (0o600, 0o644)
    for entry in ("release", "release.pub", made["public_key"]):
        assert run(["key", "show", entry]) == 0
        assert capsys.readouterr().out == made["public_key"] + "\n"
    assert run(["key", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [made]
    assert run(["key", "list"]) == 0
    assert made["id"] in capsys.readouterr().out


def test_everybody_may_read_a_public_key_whatever_the_umask() -> None:
    before = os.umask(0o077)
    try:
        assert run(["key", "new", "release", "-W"]) == 0
    finally:
        os.umask(before)
    assert (mode("release.key"), mode("release.pub")) == (0o600, 0o644)


def test_minisign_takes_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "new", "release", "-W"]) == 0
    Path("f").write_text("x")
    assert minisign("-S", "-s", "release.key", "-m", "f").returncode == 0
    assert minisign("-V", "-p", "release.pub", "-m", "f").returncode == 0


def test_a_key_is_never_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "new", "release", "-W"]) == 0
    before = Path("release.key").read_text()
    assert run(["key", "new", "release", "-W"]) == 4
    Path("release.key").rename("kept")
    assert run(["key", "new", "release", "-W"]) == 4
    assert Path("kept").read_text() == before
    assert "already exists" in capsys.readouterr().err


def test_passwords_come_from_a_file_or_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("password").write_text("from a file\n")
    assert run(["key", "new", "one", "--password-file", "password"]) == 0
    monkeypatch.setenv(VARIABLE, "from the environment")
    assert run(["key", "new", "two"]) == 0
    assert run(["key", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [key["protection"] for key in listed] == ["password", "password"]
    assert Path("one.key").read_text() != Path("two.key").read_text()


def test_without_a_terminal_the_error_names_the_other_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "new", "release"]) == 2
    assert VARIABLE in capsys.readouterr().err
    assert not Path("release.key").exists()


def test_typed_passwords(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    typed = iter(["one", "other", "same", "same", "", ""])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    assert run(["key", "new", "release"]) == 1
    assert "differ" in capsys.readouterr().err
    assert run(["key", "new", "release"]) == 0
    assert run(["key", "new", "empty"]) == 2


@pytest.mark.parametrize("name", ["a/b", "../x", ".hidden"])
def test_a_path_is_not_accepted_as_a_name(name: str) -> None:
    assert run(["key", "new", name, "-W"]) == 2


def test_an_invalid_public_key_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.pub").write_text("nothing")
    for entry in ("nothing", "bad.pub"):
        assert run(["key", "show", entry]) == 1
    assert "not a minisign public key" in capsys.readouterr().err


def test_a_public_key_from_elsewhere_becomes_a_file_that_is_never_overwritten(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("kms.hex").write_text("0a" * 32 + "\n")
    assert run(["key", "import", "outside", "kms.hex"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert run(["key", "show", "outside"]) == 0
    assert capsys.readouterr().out.strip() == line
    assert not Path("outside.key").exists()
    assert run(["key", "import", "outside", "0b" * 32]) == 4
    assert run(["key", "import", "other", "kms.pem"]) == 1
    assert "not an Ed25519 public key" in capsys.readouterr().err
