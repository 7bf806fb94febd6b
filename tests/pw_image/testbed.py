"""What a worker in a container needs from outside: a Redis, a registry with the example modules, a configuration."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any

from pw_servers import RedisServer

from pageworker_demo.callback_receiver import DemoReceiver
from pageworker_demo.loopback_server import served
from pageworker_demo.scenario import ScenarioJob, scenario
from pageworker_demo.shop import Shop
from pageworker_demo.shop_data import MEMBERS
from pageworker_demo.toml import toml_text
from pageworker_demo.workspace import find_examples, publish
from pageworker_supervisor.contract.job import JobRef
from pw_image.container import USER

LOGIN_SECRET = "shop_login"
MEMBER_OF = {"acme": "ada", "globex": "grace"}
INSIDE = "/etc/pageworker"


@dataclass(frozen=True)
class DemoSite:
    """The demo's shop and a receiver of callbacks, on this machine's loopback."""

    shop_port: int
    receiver: DemoReceiver
    callback_base_url: str


@asynccontextmanager
async def served_site() -> AsyncIterator[DemoSite]:
    """Serve both during the block."""
    shop, receiver = Shop(), DemoReceiver(token_hex(32).encode())
    async with served(shop.app) as shop_port, served(receiver.app) as receiver_port:
        yield DemoSite(shop_port, receiver, f"http://127.0.0.1:{receiver_port}")


@dataclass(frozen=True)
class Testbed:
    """A folder that the container sees, read-only, as /etc/pageworker."""

    __test__ = False

    folder: Path
    redis: RedisServer

    async def prepare(self, site: DemoSite, modules: Sequence[Path] = ()) -> None:
        """Publish the modules, and write the configuration and the secrets, for the user of the container."""
        public_key, _ = await publish([*find_examples(), *modules], self.folder / "registry")
        (self.folder / "callback.secret").write_bytes(site.receiver.secret)
        for tenant, member in MEMBER_OF.items():
            file = self.folder / "secrets" / tenant / LOGIN_SECRET
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(MEMBERS[member])
        (self.folder / "pageworker.toml").write_text(toml_text(self._settings(public_key, site)))
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, USER, USER)
            path.chmod(0o700 if path.is_dir() else 0o600)

    @property
    def mounts(self) -> list[str]:
        """For the container."""
        return [f"{self.folder}:{INSIDE}:ro"]

    @property
    def environment(self) -> dict[str, str]:
        """For the container."""
        return {"PAGEWORKER_CONFIG": f"{INSIDE}/pageworker.toml", "PAGEWORKER_REDIS__URL": self.redis.url}

    def _settings(self, public_key: str, site: DemoSite) -> dict[str, Any]:
        return {
            "worker": {"drain_seconds": 20.0},
            "pool": {"runners": 4, "pages": 3},
            "egress": {"hosts": {"shop.example": f"127.0.0.1:{site.shop_port}"}},
            "jobs": {"retry_base_seconds": 0.3},
            "modules": {"registry": f"{INSIDE}/registry", "trusted_keys": [public_key]},
            "secrets": {
                "backend": "files",
                "files": {"folder": f"{INSIDE}/secrets"},
                "grants": {LOGIN_SECRET: {"tenants": list(MEMBER_OF), "modules": ["shop.account"]}},
            },
            "tenants": {
                "*": {
                    "egress": ["*"],
                    "callback_allow": [f"{site.callback_base_url}/*"],
                    "callback_secret_file": f"{INSIDE}/callback.secret",
                }
            },
        }


def demo_jobs(times: int, callback_base_url: str) -> list[ScenarioJob]:
    """The demo's jobs, `times` over: each with ids and profiles of its own."""
    return [_numbered(job, number) for number in range(times) for job in scenario(callback_base_url)]


def _numbered(job: ScenarioJob, number: int) -> ScenarioJob:
    fields = {**job.fields, "job_id": f"{job.fields['job_id']}-{number}"}
    if "profile_id" in fields:
        fields["profile_id"] += f"-{number}"
    after = None if job.after is None else JobRef(job.after.tenant_id, f"{job.after.job_id}-{number}")
    return replace(job, fields=fields, after=after)
