"""What the kernel reports of the renderers, read from a folder like /proc."""

import asyncio
from pathlib import Path

from pageworker_runner.browser.sandbox_check import (
    NO_RENDERER,
    SANDBOXED,
    renderer_facts,
    settled_renderer_facts,
)

RENDERER = b"chromium\0--type=renderer\0"
WITH = "Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t2\nThreads:\t9\n"
WITHOUT = "Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t0\n"


def process(proc: Path, pid: int, command: bytes, status: str) -> None:
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "cmdline").write_bytes(command)
    (proc / str(pid) / "status").write_text(status)


def test_only_renderers_are_reported(tmp_path: Path) -> None:
    process(tmp_path, 10, b"chromium\0--headless", WITHOUT)
    assert renderer_facts(tmp_path) == NO_RENDERER
    process(tmp_path, 11, RENDERER, WITH)
    assert renderer_facts(tmp_path) == SANDBOXED


def test_one_renderer_without_a_filter_is_the_one_that_is_reported(tmp_path: Path) -> None:
    process(tmp_path, 11, RENDERER, WITH)
    process(tmp_path, 12, RENDERER, WITHOUT)
    assert renderer_facts(tmp_path) == "renderer: NoNewPrivs 1, Seccomp 0"


def test_a_process_that_ends_meanwhile_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    (tmp_path / "12" / "status").write_text("Seccomp:\t2\n")
    assert renderer_facts(tmp_path) == NO_RENDERER


async def test_a_renderer_that_starts_gets_time_for_its_filter(tmp_path: Path) -> None:
    process(tmp_path, 11, RENDERER, WITHOUT)
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(settled_renderer_facts(tmp_path))
        await asyncio.sleep(0)
        process(tmp_path, 11, RENDERER, WITH)
    assert looking.result() == SANDBOXED


async def test_one_that_stays_without_is_reported(tmp_path: Path) -> None:
    process(tmp_path, 11, RENDERER, WITHOUT)
    assert await settled_renderer_facts(tmp_path, seconds=0.04) == "renderer: NoNewPrivs 1, Seccomp 0"
