"""A registry with the test modules, a Redis, and configurations for any number of workers."""

import asyncio
import contextlib
import tempfile
import textwrap
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pw_servers import RedisServer, redis_server

from pageworker_demo.toml import toml_text
from pw_daemon.usual_modules import publish_usual
from pw_daemon.worker import DaemonProcess

SECRET = b"callback secret of the tests"
HEADLESS_SHELL = {"executable": "/usr/lib/chromium/chromium-headless-shell"}
"""Settings of `browser`, for tests that do not need the full one."""


@dataclass(frozen=True)
class DaemonFolder:
    """The folder of one test's workers."""

    folder: Path
    redis: RedisServer
    public_key: str

    @contextlib.contextmanager
    def worker(self, name: str = "w1", **settings: Mapping[str, Any]) -> Iterator[DaemonProcess]:
        """A worker that is started, and killed at the end of the block. A setting of None is left out."""
        process = DaemonProcess(self.write_config(name, **settings), self.folder / name)
        try:
            process.start()
            yield process
        finally:
            process.kill()

    def write_config(self, name: str = "w1", **settings: Mapping[str, Any]) -> Path:
        """The configuration file of a worker, in its data folder."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        config = home / "pageworker.toml"
        own: dict[str, dict[str, Any]] = {
            "redis": {"url": self.redis.url},
            "worker": {"id": name, "data_dir": str(home)},
            "http": {"bind": "127.0.0.1:0"},
            "modules": {"registry": str(self.folder / "registry"), "trusted_keys": [self.public_key]},
            "pool": {"runners": 2, "pages": 4},
            "log": {"level": "debug"},
        }
        tenants = {"*": {"callback_allow": ["http://127.0.0.1:*/*"], "callback_secret_file": str(self.secret_file)}}
        merged = {key: _without_none({**own.get(key, {}), **settings.get(key, {})}) for key in own | dict(settings)}
        config.write_text(toml_text({"tenants": tenants, **merged}))
        return config

    @property
    def secret_file(self) -> Path:
        """The key that callbacks are signed with."""
        return self.folder / "callback.secret"


def _without_none(section: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if value is not None}


def write_module(
    folder: Path,
    name: str,
    body: str,
    egress: Sequence[str] | Mapping[str, Any] = (),
    page: Mapping[str, Any] | None = None,
    more_toml: str = "",
) -> Path:
    """A module's folder below `folder`; its handler has this body. `egress`: its hosts, or its table [egress]. `page`:
    its table [page]. `more_toml` is appended to its module.toml."""
    module, package = folder / name, name.replace(".", "_")
    (module / package).mkdir(parents=True)
    source = "import asyncio\nfrom pageworker import *\n\nasync def handler(page, payload, helpers, context):\n"
    (module / package / "__init__.py").write_text(source + textwrap.indent(textwrap.dedent(body), "    "))
    manifest: dict[str, Any] = {"name": name, "version": "1.0.0", "entrypoint": f"{package}:handler", "sdk": ">=1,<2"}
    if page:
        manifest["page"] = page
    allowed = dict(egress) if isinstance(egress, Mapping) else list(egress)
    (module / "module.toml").write_text(toml_text({**manifest, "egress": allowed}) + more_toml)
    return module


@contextlib.asynccontextmanager
async def place(*modules: Path) -> AsyncIterator[DaemonFolder]:
    """One, gone with the block. `modules` are published beside the usual ones."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pw-daemon-", ignore_cleanup_errors=True)))
        # Runners access it as other users.
        folder.chmod(0o711)
        redis = stack.enter_context(redis_server(aof=True))
        key = await asyncio.to_thread(publish_usual, folder / "registry", *modules)
        found = DaemonFolder(folder, redis, key)
        found.secret_file.write_bytes(SECRET)
        yield found
