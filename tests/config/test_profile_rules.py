"""A snapshot store without a key is refused at the start, and a key without a store."""

from pathlib import Path
from typing import Any

import pytest

from pageworker_supervisor.config.load import read_local
from pageworker_supervisor.config.profile_rules import snapshot_findings
from pageworker_supervisor.config.profile_settings import ProfileSettings
from pageworker_supervisor.config.secret_settings import SecretSettings
from pageworker_supervisor.config.settings import Settings

BACKEND = SecretSettings(backend="environment")


def findings(secrets: SecretSettings = BACKEND, **profiles: Any) -> dict[str, str]:
    """What is expected in place of each wrong setting."""
    settings = Settings(profiles=ProfileSettings(**profiles), secrets=secrets)
    return {".".join(map(str, path)): wanted for path, _, wanted, _ in snapshot_findings(settings)}


@pytest.mark.parametrize("store", ["s3://bucket/profiles", "gs://bucket", "az://container/x", "file:///mnt/profiles"])
def test_a_store_with_a_key_is_fine(store: str) -> None:
    assert findings(store=store, key_secret="profiles", key_secrets_before=("old",)) == {}
    assert findings() == {}


def test_what_is_missing_is_named() -> None:
    assert "key" in findings(store="s3://bucket")["profiles.key_secret"]
    assert "secrets.backend" in findings(SecretSettings(), store="s3://b", key_secret="k")["profiles.key_secret"]
    assert list(findings(key_secret="k", key_secrets_before=("o",))) == [
        "profiles.key_secret",
        "profiles.key_secrets_before",
    ]


@pytest.mark.parametrize("store", ["/mnt/profiles", "memory:///", "http://host/x", "s3:bucket"])
def test_only_stores_with_conditional_writes_are_accepted(store: str) -> None:
    assert "profiles.store" in findings(store=store, key_secret="k")


def test_the_worker_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "pageworker.toml"
    file.write_text('[profiles]\nstore = "s3://bucket/profiles"\n')
    with pytest.raises(Exception, match=r"profiles\.key_secret"):
        read_local(file, {}).settings()
