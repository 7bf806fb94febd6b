"""A module author with a key, and small modules."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pageworker_sandbox.signing import PackedBundle, SecretKey, TrustStore, UntrustedBundle, read_bundle, sign, verify
from pageworker_sandbox.signing.bundle import write_bundle
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.store import Store

CODE = b"async def handler(page, payload, helpers, context):\n    return payload\n"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"url": {"type": "string", "pattern": "^https?://"}},
    "required": ["url"],
    "additionalProperties": False,
}


def manifest(name: str = "shop.product", version: str = "1.4.2", more: str = "") -> str:
    """The text of a module.toml. `more` is appended."""
    package = name.replace(".", "_")
    return f'name = "{name}"\nversion = "{version}"\nentrypoint = "{package}:handler"\nsdk = ">=1,<2"\n{more}'


def packed(
    name: str = "shop.product",
    version: str = "1.4.2",
    more: str = "",
    code: bytes = CODE,
    schema: dict[str, Any] = SCHEMA,
    output: dict[str, Any] | None = None,
) -> PackedBundle:
    """A bundle of one small package. `output`: its output schema, which `more` must announce."""
    sources = {f"{name.replace('.', '_')}/__init__.py": code}
    return read_bundle(write_bundle(manifest(name, version, more), schema, sources, output))


def folder(parent: Path, text: str | None = None, code: bytes = CODE) -> Path:
    """The same package as a folder, to be packed. `text` is its module.toml."""
    root = parent / "module"
    (root / "shop_product").mkdir(parents=True)
    (root / "module.toml").write_text(manifest() if text is None else text)
    (root / "shop_product" / "__init__.py").write_bytes(code)
    return root


@dataclass(frozen=True)
class Author:
    """Signs and publishes bundles with one key."""

    key: SecretKey = field(default_factory=SecretKey.new)

    @property
    def trust(self) -> TrustStore:
        """A trust store with this author's key alone."""
        return TrustStore([self.key.public])

    def signed(self, bundle: PackedBundle) -> UntrustedBundle:
        """The bundle with its signature."""
        return UntrustedBundle(bundle.data, sign(bundle, self.key))

    def publisher(self, place: Path | str) -> Publisher:
        """A publisher to the registry at `place`."""
        return Publisher(Store(place), self.key)

    async def publish(self, place: Path | str, bundle: PackedBundle, channel: str = "stable") -> None:
        """Sign a bundle and publish it. `SCHEMA` is known to be good: to check it would take a process."""
        publisher, untrusted = self.publisher(place), self.signed(bundle)
        if bundle.input_schema == SCHEMA:
            await publisher.add(verify(untrusted, self.trust), untrusted, channel)
        else:
            await publisher.publish(untrusted, channel)
