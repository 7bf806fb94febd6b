"""Links with a secret of the fleet: a store that has it signs, one that has not gives no link."""

from pathlib import Path

import msgspec
import pytest

from pageworker_supervisor.artifacts.errors import ArtifactError
from pageworker_supervisor.artifacts.link_secret import ArtifactLinks, LinkSecretAway
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.secrets.backend import FLEET, FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry.metrics import Metrics

SETTINGS = {
    "artifacts": {"link_secret": "links", "link_seconds": 600},
    "api": {"public_url": "https://jobs.example"},
    "secrets": {"backend": "files"},
}


class OneSecret:
    """A backend with one value."""

    def __init__(self, value: str | None) -> None:
        self.value = value

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        if self.value is None or ref != SecretRef(FLEET, "links"):
            raise SecretMissing("there is none")
        return FetchedSecret(value=self.value, version="1", lease_seconds=0)

    async def run(self) -> None:
        raise AssertionError("not needed")


def links(value: str | None) -> ArtifactLinks:
    secrets = FleetSecrets(SecretStore(OneSecret(value)), SecretMasker(), Metrics())
    found = ArtifactLinks.of(msgspec.convert(SETTINGS, Settings), secrets)
    assert found is not None
    assert ArtifactLinks.of(Settings(), secrets) is None
    return found


async def test_the_url_of_an_artifact_in_a_folder_is_a_link(tmp_path: Path) -> None:
    store = ArtifactStore.open(None, tmp_path, links=links("k" * 32))
    url = (await store.put(JobRef("acme", "17"), 1, "html", "text/html", b"x")).url
    path, _, query = url.removeprefix("https://jobs.example/v1/artifacts/").partition("?")
    assert (tmp_path / "artifacts" / path).read_bytes() == b"x"
    expires, signature = (pair.partition("=")[2] for pair in query.split("&"))
    assert await links("k" * 32).verified(path, expires, signature)
    assert not await links("l" * 32).verified(path, expires, signature)


@pytest.mark.parametrize("value", [None, "too short"])
async def test_without_its_secret_nothing_is_stored_that_could_not_be_opened(tmp_path: Path, value: str | None) -> None:
    store = ArtifactStore.open(None, tmp_path, links=links(value))
    with pytest.raises(ArtifactError, match="no signed link: secret links") as failed:
        await store.put(JobRef("acme", "17"), 1, "html", "text/html", b"x")
    assert failed.value.type == "unsigned"
    assert not list(tmp_path.rglob("*.html"))
    with pytest.raises(LinkSecretAway):
        await links(value).verified("x", "1", "0" * 64)
