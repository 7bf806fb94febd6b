"""What the demo's worker is started with."""

import tomllib
from pathlib import Path

from pageworker_demo.workspace import Workspace, find_examples, publish
from pageworker_sandbox.signing import TrustStore, UntrustedBundle, parse_public, verify
from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.files import FileBackend


async def test_the_examples_are_published_under_a_new_key(tmp_path: Path) -> None:
    line, published = await publish(find_examples(), tmp_path / "registry")
    trust = TrustStore([parse_public(line)])
    assert len(published) == 4
    for name in published:
        bundle = tmp_path / "registry" / f"{name.replace(' ', '-')}.zip"
        signature = bundle.with_name(f"{bundle.name}.minisig")
        verified = verify(UntrustedBundle(bundle.read_bytes(), signature.read_bytes()), trust)
        assert f"{verified.name} {verified.version}" == name


def test_settings_are_merged_with_the_workspaces_own(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, http_port=1, redis_port=2)
    workspace.configure({"worker": {"id": "w"}, "redis": {"url": "redis://x"}})
    tree = tomllib.loads(workspace.config_file.read_text())
    assert tree["worker"] == {"data_dir": str(tmp_path), "id": "w"}
    assert tree["redis"] == {"port": 2, "url": "redis://x"}


async def test_a_secret_is_stored_for_the_worker_alone(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, http_port=1, redis_port=2)
    workspace.store_secret("acme", "shop_login", "correct-horse")
    backend = FileBackend(workspace.secrets, "/")
    assert (await backend.fetch(SecretRef("acme", "shop_login"))).value == "correct-horse"
    assert (workspace.secrets / "acme").stat().st_mode & 0o077 == 0
