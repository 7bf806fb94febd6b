"""What a new worker needs: data folder, signing key, published modules, configuration."""

import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pageworker_demo.toml import toml_text
from pageworker_sandbox.signing import SecretKey, UntrustedBundle, sign
from pageworker_supervisor.redis_client.redis_folder import RedisFolder
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.registry.publisher import Publisher
from pageworker_supervisor.registry.store import Store

EXAMPLES = ("shop_product", "shop_account", "shop_trouble", "demo_echo")


@dataclass(frozen=True)
class Workspace:
    """The data folder and the ports of one worker."""

    folder: Path
    http_port: int
    redis_port: int

    @property
    def config_file(self) -> Path:
        """The configuration, which the worker is started with."""
        return self.folder / "pageworker.toml"

    @property
    def log_file(self) -> Path:
        """The daemon's output."""
        return self.folder / "daemon.log"

    @property
    def secret_file(self) -> Path:
        """The secret that callbacks are signed with."""
        return self.folder / "callback.secret"

    @property
    def secrets(self) -> Path:
        """The secrets of tenants, as the backend `files` reads them."""
        return self.folder / "secrets"

    def store_secret(self, tenant: str, name: str, value: str) -> None:
        """Store a secret of a tenant, for the worker's user alone."""
        file = self.secrets / tenant / name
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(value)

    @property
    def registry(self) -> Path:
        """The registry: bundles, signatures, index."""
        return self.folder / "registry"

    def redis_login(self, user: str) -> tuple[str, str]:
        """User and password for the embedded Redis, which must have been started. Raises PasswordUnreadable."""
        return user, RedisFolder(self.folder).passwords()[user]

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the configuration: `settings` by section, in addition to this folder and these ports."""
        own: dict[str, Any] = {
            "redis": {"port": self.redis_port},
            "worker": {"data_dir": str(self.folder)},
            "http": {"bind": f"127.0.0.1:{self.http_port}"},
        }
        merged = {name: {**own.get(name, {}), **settings.get(name, {})} for name in own | dict(settings)}
        self.config_file.write_text(toml_text(merged))


def find_examples() -> list[Path]:
    """The folders of the example modules, in the checkout or in the installation. Raises FileNotFoundError."""
    checkout = Path(__file__).parents[2] / "examples"
    installed = Path(sysconfig.get_path("data")) / "share" / "pageworker" / "examples"
    for folder in (checkout, installed):
        if (folder / EXAMPLES[0] / "module.toml").is_file():
            return [folder / name for name in EXAMPLES]
    raise FileNotFoundError(
        f"The example modules are neither in {checkout} nor in {installed}. Install pageworker again."
    )


async def publish(modules: Iterable[Path], registry: Path, key: SecretKey | None = None) -> tuple[str, list[str]]:
    """Pack modules, sign them, publish them. Returns the public key's line and `NAME VERSION` of each.

    `key`: the one that signed what the registry holds already; a new one if there is none.
    Raises PackRefused, PublishRefused, ModuleError.
    """
    registry.mkdir(exist_ok=True)
    key = key or SecretKey.new()
    publisher = Publisher(Store(registry), key)
    published: list[str] = []
    for folder in modules:
        packed = pack(folder)
        bundle, _ = await publisher.publish(UntrustedBundle(packed.data, sign(packed, key)), "stable")
        published.append(f"{bundle.name} {bundle.version}")
    return key.public.line(), published
