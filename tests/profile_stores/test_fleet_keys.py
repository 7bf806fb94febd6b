"""The keys of snapshots, from files of secrets: the current one, older ones, and ones that cannot be used."""

from pathlib import Path

import pytest

from pageworker_profiles.errors import SnapshotKeyMissing
from pageworker_profiles.snapshots.keys import key_id
from pageworker_supervisor.profile_stores.fleet_keys import FleetKeys
from pageworker_supervisor.secrets.files import FileBackend
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry.metrics import Metrics

NEW, OLD = bytes(range(32)), bytes(range(32, 64))


@pytest.fixture
def keys(tmp_path: Path) -> FleetKeys:
    """With the secrets `new` and `old`; `broken` holds no key."""
    (tmp_path / "_fleet").mkdir()
    for name, text in (("new", NEW.hex()), ("old", OLD.hex()), ("broken", "geheim")):
        file = tmp_path / "_fleet" / name
        file.touch(0o600)
        file.write_text(text)
    secrets = FleetSecrets(SecretStore(FileBackend(tmp_path, "/")), SecretMasker(), Metrics())
    return FleetKeys(secrets, "new", ("broken", "old"))


async def test_the_current_key_encrypts_and_every_key_reads(keys: FleetKeys) -> None:
    assert (await keys.current()).key == NEW
    assert (await keys.find(key_id(NEW))).key == NEW
    assert (await keys.find(key_id(OLD))).key == OLD, "a secret that is broken hides no other key"


async def test_a_key_that_is_not_there_is_named(keys: FleetKeys, tmp_path: Path) -> None:
    with pytest.raises(SnapshotKeyMissing, match="key_secrets_before") as caught:
        await keys.find("0" * 16)
    assert "secret broken" in str(caught.value)
    assert "geheim" not in str(caught.value)
    (tmp_path / "_fleet/new").unlink()
    with pytest.raises(SnapshotKeyMissing, match="secret new"):
        await keys.current()
