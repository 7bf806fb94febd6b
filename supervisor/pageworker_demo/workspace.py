"""A worker's ground, made fresh: data folder, signing key, published modules, configuration."""

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
    """Where one worker lives. `config_file` is what it is started with."""

    folder: Path
    http_port: int
    redis_port: int

    @property
    def config_file(self) -> Path:
        """TOML."""
        return self.folder / "pageworker.toml"

    @property
    def log_file(self) -> Path:
        """What the daemon says."""
        return self.folder / "daemon.log"

    @property
    def secret_file(self) -> Path:
        """The key that callbacks are signed with."""
        return self.folder / "callback.secret"

    @property
    def registry(self) -> Path:
        """Bundles, signatures, index."""
        return self.folder / "registry"

    def redis_login(self, user: str) -> tuple[str, str]:
        """User and password of the worker's own Redis, once it runs. Raises PasswordUnreadable."""
        return user, RedisFolder(self.folder).passwords()[user]

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the configuration: `settings` beside what the stage itself decides."""
        own: dict[str, Any] = {
            "redis": {"port": self.redis_port},
            "worker": {"data_dir": str(self.folder)},
            "http": {"bind": f"127.0.0.1:{self.http_port}"},
        }
        merged = {name: {**own.get(name, {}), **settings.get(name, {})} for name in own | dict(settings)}
        self.config_file.write_text(toml_text(merged))


def find_examples() -> list[Path]:
    """The example modules: of the checkout, or where an installation puts them. Raises FileNotFoundError."""
    checkout = Path(__file__).parents[2] / "examples"
    installed = Path(sysconfig.get_path("data")) / "share" / "pageworker" / "examples"
    for folder in (checkout, installed):
        if (folder / EXAMPLES[0] / "module.toml").is_file():
            return [folder / name for name in EXAMPLES]
    raise FileNotFoundError(f"no example modules, neither in {checkout} nor in {installed}")


async def publish(modules: Iterable[Path], registry: Path) -> tuple[str, list[str]]:
    """Pack, sign with a fresh key, publish. Returns the public key's line and what was published.

    Raises PackRefused, PublishRefused, ModuleError.
    """
    registry.mkdir(exist_ok=True)
    key = SecretKey.new()
    publisher = Publisher(Store(registry), key)
    published: list[str] = []
    for folder in modules:
        packed = pack(folder)
        bundle, _ = await publisher.publish(UntrustedBundle(packed.data, sign(packed, key)), "stable")
        published.append(f"{bundle.name} {bundle.version}")
    return key.public.line(), published
