"""Secrets of a local file: it must be closed to other users, and every mistake in it is told at once."""

from pathlib import Path

import pytest

from pageworker_author.secret_values import GivenSecrets, SecretFileUnusable, read_values, with_file
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing

TEXT = """\
[secrets]
shop_login = "correct-horse"
[proxies.home]
upstreams = ["http://127.0.0.1:3128"]
credentials = "shop_login"
"""


def file_of(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "local.toml"
    file.touch(mode)
    file.chmod(mode)
    file.write_text(text)
    return file


async def test_every_tenant_and_module_has_the_secrets(tmp_path: Path) -> None:
    file = file_of(tmp_path, TEXT)
    settings = with_file(Settings(), file)
    grant = settings.secrets.grants["*"]
    assert (grant.tenants, grant.modules) == (("*",), ("*",))
    assert settings.proxies["home"].upstreams == ("http://127.0.0.1:3128",)
    assert settings.egress.proxy_ports == (*Settings().egress.proxy_ports, 3128)
    values = read_values(file)
    backend = GivenSecrets(values.get)
    assert (await backend.fetch(SecretRef("acme", "shop_login"))).value == "correct-horse"
    with pytest.raises(SecretMissing, match="no other"):
        await backend.fetch(SecretRef("acme", "other"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    file = file_of(tmp_path, TEXT, mode)
    with pytest.raises(SecretFileUnusable, match=f"{mode:04o}") as caught:
        read_values(file)
    assert f"chmod 600 {file}" in caught.value.mend


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SecretFileUnusable, match="No such file"):
        with_file(Settings(), tmp_path / "local.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[secrets]\nshop_login = 5\n", "local.toml:2"),
        ("[secrets]\nshop_login = ''\n", "secrets.shop_login"),
        ("[secrets]\n'a b' = 'x'\n", "an invalid name"),
        ("[pool]\nrunners = 5\n", "the tables [secrets] and [proxies.NAME]"),
        ("secrets = 5\n", "the tables [secrets] and [proxies.NAME]"),
        ("[proxies.home]\nupstreams = ['ftp://a']\n", "proxies.home.upstreams"),
        ("[proxies.home]\nupstream = 'a'\n", "upstreams"),
        ("[secrets\n", "local.toml:1"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        with_file(Settings(), file_of(tmp_path, text))
    assert told in str(caught.value)
    assert "correct-horse" not in str(caught.value)
