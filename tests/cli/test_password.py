"""Where the password of a key comes from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pageworker_sandbox.signing import SecretKey, write_secret
from pageworker_sandbox.signing.keys import Cost
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.password import VARIABLE, new_password, open_key

CHEAP = Cost(32768, 16 * 1024 * 1024)
KEY = SecretKey.new()


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key with password `right`, and no terminal."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    path = tmp_path / "release.key"
    path.write_text(write_secret(KEY, b"right", CHEAP))
    return path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What a person types, in this order."""
    texts: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: texts.pop(0))
    yield texts
    assert texts == [], "each password is asked for once"


@pytest.mark.parametrize("text", ["right", "right\n", "right\r\n"])
def test_a_file_wins_over_the_variable(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, "wrong")
    (tmp_path / "password").write_bytes(text.encode())
    assert open_key(key, tmp_path / "password") == KEY


def test_the_variable_wins_over_a_prompt(key: Path, typed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "right")
    assert open_key(key, None) == KEY


def test_a_prompt_says_how_expensive_the_key_is(
    key: Path, typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    typed.append("right")
    assert open_key(key, None) == KEY
    assert "1.06 GB" in capsys.readouterr().err


def test_a_key_without_a_password_needs_none(key: Path) -> None:
    key.write_text(write_secret(KEY, None))
    assert open_key(key, None) == KEY


def test_without_a_terminal_the_error_names_the_other_ways(key: Path) -> None:
    with pytest.raises(CommandError, match="stdin is not a terminal") as caught:
        open_key(key, None)
    assert caught.value.exit_code == CommandExit.USAGE
    assert VARIABLE in caught.value.mend


@pytest.mark.parametrize(("content", "words"), [(b"nothing", "not a minisign secret key"), (b"\xff", "not a minisign")])
def test_what_is_no_key_is_named(key: Path, content: bytes, words: str) -> None:
    key.write_bytes(content)
    with pytest.raises(CommandError, match=words):
        open_key(key, None)


def test_a_wrong_password_and_a_missing_file(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "wrong")
    with pytest.raises(CommandError, match="wrong password"):
        open_key(key, None)
    with pytest.raises(CommandError) as caught:
        open_key(tmp_path / "none.key", None)
    assert "workerctl key new" in caught.value.mend
    with pytest.raises(CommandError, match="No such file"):
        open_key(key, tmp_path / "none")


def test_a_new_password_is_typed_twice(typed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    typed += ["a", "a", "a", "b", "", ""]
    assert new_password(None) == b"a"
    with pytest.raises(CommandError, match="differ"):
        new_password(None)
    with pytest.raises(CommandError, match="empty"):
        new_password(None)
