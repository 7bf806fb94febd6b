"""Trusted keys as operators write them: lines and files."""

from pathlib import Path

import pytest

from pageworker_sandbox.signing import KeyUnusable, SecretKey, TrustFileInvalid
from pageworker_supervisor.registry.trust import load_public, load_trust

KEY, OTHER = SecretKey.new().public, SecretKey.new().public


def test_a_line_and_a_file_name_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "release.pub"
    file.write_text(KEY.file())
    assert load_public(KEY.line()) == load_public(str(file)) == KEY
    assert load_trust([str(file), OTHER.line()]).keys == (KEY, OTHER)


def test_a_file_below_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "release.pub").write_text(KEY.file())
    assert load_public("~/release.pub") == KEY


def test_every_wrong_entry_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.pub").write_text("nothing")
    (tmp_path / "binary.pub").write_bytes(b"\xff" * 100)
    with pytest.raises(KeyUnusable) as caught:
        load_trust([KEY.line(), "nowhere.pub", str(tmp_path / "text.pub"), str(tmp_path / "binary.pub")])
    text = str(caught.value)
    assert "nowhere.pub: neither a public key nor an existing file" in text
    assert f"{tmp_path}/text.pub: not a minisign public key" in text
    assert "binary.pub" in text
    assert KEY.line() not in text


def test_no_entry_is_an_empty_store() -> None:
    assert load_trust([]).keys == ()


def test_a_trust_file_names_keys_beside_it(tmp_path: Path) -> None:
    (tmp_path / "release.pub").write_text(KEY.file())
    file = tmp_path / "trust.toml"
    file.write_text('[[key]]\nkey = "release.pub"\nchannels = ["canary"]\n')
    trust = load_trust([OTHER.line()], file)
    assert set(trust.keys) == {KEY, OTHER}
    assert trust.has_limits


@pytest.mark.parametrize(
    ("content", "mode", "found"),
    [
        (None, 0o644, "No such file"),
        (b"", 0o646, "chmod o-w"),
        (b"\xff", 0o644, "utf-8"),
        (b"#" * (1024 * 1024 + 1), 0o644, "a larger file"),
        (b'[[key]]\nkey = "none.pub"', 0o644, "neither a public key nor an existing file"),
    ],
)
def test_an_unusable_trust_file_says_why(tmp_path: Path, content: bytes | None, mode: int, found: str) -> None:
    file = tmp_path / "trust.toml"
    if content is not None:
        file.write_bytes(content)
        file.chmod(mode)
    with pytest.raises(TrustFileInvalid, match=found):
        load_trust([], file)
