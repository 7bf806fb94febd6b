"""Which certificate authorities the gateway gets."""

from pathlib import Path

import pytest

from pageworker_sandbox.launch import authorities
from pageworker_sandbox.launch.authorities import trusted_authorities


def test_the_systems_bundle_and_the_operators_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing, system, extra = (tmp_path / name for name in ("missing", "system", "extra"))
    system.write_bytes(b"system")
    extra.write_bytes(b"extra")
    monkeypatch.setattr(authorities, "SYSTEM_BUNDLES", (missing, system, extra))
    assert trusted_authorities(None).split() == [b"system"]
    assert trusted_authorities(extra).split() == [b"system", b"extra"]
    monkeypatch.setattr(authorities, "SYSTEM_BUNDLES", (missing,))
    assert trusted_authorities(extra).split() == [b"extra"]


def test_a_file_of_the_operator_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        trusted_authorities(tmp_path / "missing")
