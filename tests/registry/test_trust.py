"""Trusted keys as operators write them: lines and files."""

from pathlib import Path

import pytest

from pageworker_sandbox.signing import KeyUnusable, SecretKey
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
