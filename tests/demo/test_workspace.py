"""What the demo's worker is given."""

import tomllib
from pathlib import Path

import pytest

from pageworker_demo.toml import toml_text
from pageworker_demo.workspace import Workspace, find_examples, publish
from pageworker_sandbox.signing import TrustStore, UntrustedBundle, parse_public, verify


@pytest.mark.parametrize(
    "tree",
    [
        {"a": {"b": 1, "c": True, "d": 1.5, "e": ["x", "y"]}},
        {"tenants": {"*": {"egress": ["*.example"]}, "a.b-c": {"weight": 2.0}}},
        {"s": {"quote": 'say "hi"\n\\ — ü', "empty": ""}},
        {"top": 1, "deep": {"deeper": {"deepest": {"x": 0}}}},
    ],
)
def test_what_is_written_is_read_back(tree: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(tree)) == tree


async def test_the_examples_are_published_under_a_fresh_key(tmp_path: Path) -> None:
    line, published = await publish(find_examples(), tmp_path / "registry")
    trust = TrustStore([parse_public(line)])
    assert len(published) == 4
    for name in published:
        bundle = tmp_path / "registry" / f"{name.replace(' ', '-')}.zip"
        signature = bundle.with_name(f"{bundle.name}.minisig")
        verified = verify(UntrustedBundle(bundle.read_bytes(), signature.read_bytes()), trust)
        assert f"{verified.name} {verified.version}" == name


def test_settings_are_laid_over_the_stages_own(tmp_path: Path) -> None:
    stage = Workspace(tmp_path, http_port=1, redis_port=2)
    stage.configure({"worker": {"id": "w"}, "redis": {"url": "redis://x"}})
    tree = tomllib.loads(stage.config_file.read_text())
    assert tree["worker"] == {"data_dir": str(tmp_path), "id": "w"}
    assert tree["redis"] == {"port": 2, "url": "redis://x"}
