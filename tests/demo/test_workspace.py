"""What the demo's worker is started with."""

import tomllib
from pathlib import Path

from pageworker_demo.workspace import Workspace, find_examples, publish
from pageworker_sandbox.signing import TrustStore, UntrustedBundle, parse_public, verify


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
