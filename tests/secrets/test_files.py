"""Secrets in a folder, and credentials of systemd."""

from pathlib import Path

import pytest

from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.files import FileBackend

REF = SecretRef("acme", "shop_login")


def put(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


async def test_a_tenant_has_a_folder_of_its_own(tmp_path: Path) -> None:
    put(tmp_path / "acme" / "shop_login", "correct-horse\n")
    put(tmp_path / "globex" / "shop_login", "battery-staple\n")
    backend = FileBackend(tmp_path, "/")
    assert (await backend.fetch(REF)).value == "correct-horse"
    assert (await backend.fetch(SecretRef("globex", "shop_login"))).value == "battery-staple"


async def test_a_file_that_changes_is_a_new_version_at_once(tmp_path: Path) -> None:
    put(tmp_path / "acme" / "shop_login", "correct-horse")
    backend = FileBackend(tmp_path, "/")
    before = await backend.fetch(REF)
    put(tmp_path / "acme" / "shop_login", "battery-staple")
    after = await backend.fetch(REF)
    assert (before.value, after.value) == ("correct-horse", "battery-staple")
    assert before.version != after.version
    assert before.lease_seconds == 0, "it is asked for each time"


async def test_a_missing_file_is_named_without_the_folder(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing, match="no file acme/shop_login") as caught:
        await FileBackend(tmp_path, "/").fetch(REF)
    assert str(tmp_path) not in str(caught.value)


async def test_a_file_for_everybody_is_not_used(tmp_path: Path) -> None:
    put(tmp_path / "acme" / "shop_login", "correct-horse", 0o644)
    with pytest.raises(SecretUnavailable, match=r"^acme/shop_login has mode 0644"):
        await FileBackend(tmp_path, "/").fetch(REF)


async def test_credentials_of_systemd_lie_side_by_side(tmp_path: Path) -> None:
    put(tmp_path / "acme.shop_login", "correct-horse", 0o440)
    assert (await FileBackend(tmp_path, ".").fetch(REF)).value == "correct-horse"
    with pytest.raises(SecretMissing, match=r"no file globex\.shop_login"):
        await FileBackend(tmp_path, ".").fetch(SecretRef("globex", "shop_login"))
