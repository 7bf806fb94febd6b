"""Attacks on the sandbox by a module, on a worker in a hardened container.

tests/escape proves that each attack succeeds without its protection. Here the question is whether a container takes a
protection away.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pw_daemon.place import write_module
from pw_escape.attack import Attack, AttackPlace
from pw_escape.attacks import ATTACKS
from pw_escape.policies import number
from pw_escape.prelude import CALLS, PRELUDE
from pw_image.container import WorkerContainer
from pw_image.job_run import run_jobs
from pw_image.testbed import DemoSite, Testbed

from pageworker_demo.scenario import ExpectedResult, ScenarioJob

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]

SECONDS = 600.0
NAMES = (
    "fork",
    "a process in a namespace",
    "kill everybody",
    "execute the driver",
    "start a program by subprocess",
    "probe the first process",
    "be traced",
    "the first process' environment",
    "own memory by /proc",
    "socket: tcp, once confined",
    "socket: unix, once confined",
    "socket: netlink, once confined",
    "user namespace",
    "net namespace",
    "another filter",
    "capabilities",
    "io_uring_setup, once confined",
    "bpf, once confined",
    "keyctl, once confined",
    "setns, once confined",
    "open_by_handle_at, once confined",
    "make a file",
    "a block device",
)
"""Attacks of pw_escape/attacks by module code. They need no preparation outside of it."""
ATTACK = """
import errno
names = {"NR": payload["numbers"]}
exec(payload["prelude"], names)
try:
    exec(payload["code"], names)
except Exception as error:  # every refusal is an answer
    code = getattr(error, "errno", None)
    return {"kind": errno.errorcode[code] if code else type(error).__name__}
return {"kind": ""}
"""
VISIT = """
try:
    response = await page.goto(payload["url"])
    return {"reached": response is not None and response.ok}
except Exception:  # for whatever reason, it was not reached
    return {"reached": False}
"""
CONTROL = Attack("what anybody may do", "os.getpid()", "", "nothing", place=AttackPlace.CONFINED)


def attacks() -> Iterator[Attack]:
    """The attacks with these names, and one that must succeed."""
    by_name = {attack.name: attack for attack in ATTACKS if attack.place is AttackPlace.CONFINED}
    yield from (by_name[name] for name in NAMES)
    yield CONTROL


def attack_jobs() -> Iterator[ScenarioJob]:
    """One job for each attack by system calls. The result names the errno with which it was refused."""
    numbers = {name: found for name in CALLS if (found := number(name)) is not None}
    for place, attack in enumerate(attacks()):
        assert not attack.before
        payload = {"numbers": numbers, "prelude": PRELUDE, "code": attack.code}
        expected = ExpectedResult("succeeded", {"kind": attack.refused}, attempts=1)
        yield ScenarioJob(job(f"attack-{place}", "test.attack", payload), expected)


def visit_jobs(site: DemoSite, container: WorkerContainer) -> Iterator[ScenarioJob]:
    """One job for each address that a page may not reach, and one for an address that it may."""
    for name, url, reached in (
        ("shop", "http://shop.example/", True),
        ("metadata", "http://169.254.169.254/latest/meta-data/", False),
        ("worker", f"{container.url}/status", False),
        ("receiver", f"{site.callback_base_url}/acme", False),
        ("file", "file:///etc/passwd", False),
    ):
        yield ScenarioJob(
            job(f"visit-{name}", "test.visit", {"url": url}), ExpectedResult("succeeded", {"reached": reached})
        )


def job(job_id: str, module: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A job as its producer writes it."""
    return {
        "job_id": job_id,
        "tenant_id": "acme",
        "endpoint_module": module,
        "payload": payload,
        "max_retries": 0,
        "timeout_seconds": 60,
    }


async def test_a_container_takes_no_protection_away(
    container: WorkerContainer, testbed: Testbed, site: DemoSite, tmp_path: Path
) -> None:
    modules = [
        write_module(tmp_path, "test.attack", ATTACK),
        write_module(tmp_path, "test.visit", VISIT, egress=["*"]),
    ]
    await testbed.prepare(site, modules)
    container.start()
    await asyncio.to_thread(container.until_ready)
    jobs = [*attack_jobs(), *visit_jobs(site, container)]
    assert len(NAMES) >= 20
    assert await run_jobs(testbed, site, jobs, SECONDS) == []
