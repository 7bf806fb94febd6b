"""A bundle and the signature beside it."""

from pathlib import Path

import pytest

from pageworker_sandbox.signing import UntrustedBundle
from pageworker_supervisor.cli.bundle_file import read_limited, read_signed, signature_of
from pageworker_supervisor.cli.output import CommandError, CommandExit


def test_both_files_are_read(tmp_path: Path) -> None:
    bundle = tmp_path / "a-1.0.0.zip"
    bundle.write_bytes(b"zip")
    signature_of(bundle).write_bytes(b"signature")
    assert signature_of(bundle).name == "a-1.0.0.zip.minisig"
    assert read_signed(bundle) == UntrustedBundle(b"zip", b"signature")


def test_an_unsigned_bundle_is_refused_with_how_to_sign_it(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"zip")
    with pytest.raises(CommandError, match=r"there is no a\.zip\.minisig") as caught:
        read_signed(tmp_path / "a.zip")
    assert caught.value.exit_code == CommandExit.REFUSED
    assert "workerctl module sign" in caught.value.mend


def test_a_file_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"123")
    assert read_limited(tmp_path / "x", 3) == b"123"
    with pytest.raises(CommandError, match="larger than 2 bytes"):
        read_limited(tmp_path / "x", 2)
    with pytest.raises(FileNotFoundError):
        read_limited(tmp_path / "none", 2)
