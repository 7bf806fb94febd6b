"""Secrets in a real OpenBao: read, rotated, deleted, denied, and out of reach."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from pw_servers.openbao import READ_ALL, OpenBao

from pageworker_supervisor.config.secret_settings import VaultSecretSettings
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.secrets.vault import VaultBackend

LEASE_SECONDS = 300.0


def backend(bao: OpenBao, folder: Path, ttl: str = "1h", **more: object) -> VaultBackend:
    """A backend that is logged in with a token from a file."""
    file = folder / "token"
    file.write_text(bao.token(ttl))
    settings = VaultSecretSettings(url=bao.url, token_file=file, timeout_seconds=5.0)
    return VaultBackend(replace(settings, **more), LEASE_SECONDS)


async def test_a_secret_and_its_rotation(bao: OpenBao, tmp_path: Path) -> None:
    ref = SecretRef("acme", "rotated")
    bao.put("acme", "rotated", "correct-horse")
    vault = backend(bao, tmp_path)
    first = await vault.fetch(ref)
    bao.put("acme", "rotated", "battery-staple")
    second = await vault.fetch(ref)
    assert (first.value, first.version, first.lease_seconds) == ("correct-horse", "1", LEASE_SECONDS)
    assert (second.value, second.version) == ("battery-staple", "2")


async def test_tenants_have_paths_of_their_own(bao: OpenBao, tmp_path: Path) -> None:
    bao.put("acme", "shared_name", "of acme")
    vault = backend(bao, tmp_path)
    assert (await vault.fetch(SecretRef("acme", "shared_name"))).value == "of acme"
    with pytest.raises(SecretMissing, match="no entry secret/pageworker/globex/shared_name"):
        await vault.fetch(SecretRef("globex", "shared_name"))


async def test_a_deleted_secret_is_missing_and_not_out_of_reach(bao: OpenBao, tmp_path: Path) -> None:
    bao.put("acme", "deleted", "correct-horse")
    bao.call("DELETE", "secret/data/pageworker/acme/deleted")
    with pytest.raises(SecretMissing, match="newest version is deleted"):
        await backend(bao, tmp_path).fetch(SecretRef("acme", "deleted"))


async def test_an_entry_without_the_key_says_which_setting_names_it(bao: OpenBao, tmp_path: Path) -> None:
    bao.put("acme", "keyed", "correct-horse", key="password")
    with pytest.raises(SecretMissing, match=r"no key `value` \(setting secrets\.vault\.key\)"):
        await backend(bao, tmp_path).fetch(SecretRef("acme", "keyed"))
    found = await backend(bao, tmp_path, key="password").fetch(SecretRef("acme", "keyed"))
    assert found.value == "correct-horse"


async def test_a_worker_without_the_right_waits_and_is_told_what_to_add(bao: OpenBao, tmp_path: Path) -> None:
    bao.put("acme", "forbidden", "correct-horse")
    bao.policy(READ_ALL.replace("pageworker/*", "other/*"))
    vault = backend(bao, tmp_path)
    with pytest.raises(SecretUnavailable, match=r"denies .* secret/data/pageworker/acme/forbidden: add `read`"):
        await vault.fetch(SecretRef("acme", "forbidden"))
    bao.policy()
    assert (await vault.fetch(SecretRef("acme", "forbidden"))).value == "correct-horse"


async def test_a_server_that_does_not_answer_is_named_so(bao: OpenBao, tmp_path: Path) -> None:
    bao.put("acme", "slow", "correct-horse")
    vault = backend(bao, tmp_path, timeout_seconds=0.3)
    await vault.fetch(SecretRef("acme", "slow"))
    bao.pause()
    with pytest.raises(SecretUnavailable, match="Vault does not answer: no answer in time"):
        await vault.fetch(SecretRef("acme", "slow"))
    bao.resume()


async def test_a_server_that_is_not_there_is_named_so(bao: OpenBao, tmp_path: Path) -> None:
    vault = backend(bao, tmp_path, url="http://127.0.0.1:1")
    with pytest.raises(SecretUnavailable, match="Vault does not answer: no connection"):
        await vault.fetch(SecretRef("acme", "any"))


async def test_an_outage_is_bridged_within_the_lease_and_then_over(bao: OpenBao, tmp_path: Path) -> None:
    """An outage of a minute and a lease of five, on a clock that a test can move."""
    now = [0.0]
    ref = SecretRef("acme", "bridged")
    bao.put("acme", "bridged", "correct-horse")
    store = SecretStore(backend(bao, tmp_path, timeout_seconds=0.3), lambda: now[0])
    await store.fetch(ref)
    bao.pause()
    for now[0] in (60.0, 200.0, 299.0):
        assert (await store.fetch(ref)).value == "correct-horse"
    now[0] = 301.0
    with pytest.raises(SecretUnavailable):
        await store.fetch(ref)
    bao.resume()
    assert (await store.fetch(ref)).value == "correct-horse"
