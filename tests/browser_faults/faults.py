"""The faults. Each breaks something, and then runs a clean job of the same tenant on what it broke."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from pw_sandbox import gone

from browser_faults.scene import LARGE_BYTES, PROFILE, SCRATCH_BYTES, FaultScene, filled, signal_browser

LOGIN = "user=anna"
IN_FLIGHT_BYTES = 64 * 1024**2
"""What sockets and the gateway hold beside the file."""
GONE_SECONDS = 5.0
POPUP_SECONDS = 200.0

Fault = Callable[[FaultScene], Awaitable[None]]


async def service_worker(scene: FaultScene) -> None:
    """A service worker that never answers keeps its page waiting."""
    result = await scene.run("service_worker")
    assert result["status"] == "succeeded", result
    await scene.clean()


async def popups(scene: FaultScene) -> None:
    """A page opens `scene.popups` windows."""
    result = await scene.run("popups", count=scene.popups, timeout_seconds=POPUP_SECONDS)
    assert result["status"] == "succeeded", result
    assert result["data"]["pages"] == scene.popups + 1
    await scene.clean()


async def large_download(scene: FaultScene) -> None:
    """A file of 2 GiB is downloaded: it fills its scratch folder, and neither disk nor memory."""
    result = await scene.run("download")
    # Chromium ends the download on its full folder. If the worker looks just then, it ends the job.
    assert (result["data"] or {}).get("failure") or result["error"]["type"] == "disk_limit", result
    assert scene.origin.sent_bytes < SCRATCH_BYTES + IN_FLIGHT_BYTES < LARGE_BYTES
    await scene.clean()


async def renderer_memory(scene: FaultScene) -> None:
    """A page takes memory until there is none."""
    result = await scene.run("memory")
    assert result["status"] == "failed", result
    assert result["error"]["type"] == "memory_limit", result
    assert result["error"]["detail"]["used"] >= scene.memory_bytes
    await scene.clean()


async def hung_close(scene: FaultScene) -> None:
    """The browser answers nothing any more, so neither the page nor the browser can be closed."""
    job = await scene.push("wait", timeout_seconds=3)
    watched = gone.watch(signal_browser(await scene.at_work(), signal.SIGSTOP))
    assert (await scene.result(job))["status"] in ("timed_out", "succeeded")
    await scene.clean()
    assert not await asyncio.to_thread(gone.left, watched, GONE_SECONDS)


async def stale_lock(scene: FaultScene) -> None:
    """A browser of another host has left its lock in the profile. A profile is never given to two browsers."""
    await scene.clean()  # closes the profile
    for name, target in {
        "SingletonLock": "another-host-4711",
        "SingletonCookie": "8472059361",
        "SingletonSocket": "/tmp/org.chromium.Chromium.x/SingletonSocket",
    }.items():
        (scene.profile(PROFILE) / name).symlink_to(target)
    assert await scene.clean(PROFILE) == LOGIN


async def full_disk(scene: FaultScene) -> None:
    """The disk of the profiles is full while one is in use, is closed, and while another one is opened."""
    assert scene.disk is not None
    assert await scene.clean(PROFILE) == LOGIN
    with filled(scene.disk):
        result = await scene.run("writes", PROFILE, rounds=30)
        assert result["status"] in ("succeeded", "failed"), result
        other = await scene.push("clean", "other")
        while not _is_deferred(scene, other):  # noqa: ASYNC110 - no event tells that a job was deferred
            await asyncio.sleep(0.05)
    assert (await scene.result(other))["status"] == "succeeded"
    assert LOGIN in await scene.clean(PROFILE)


def _is_deferred(scene: FaultScene, job_id: str) -> bool:
    return any(line.get("job") == f"acme/{job_id}" and line["message"] == "job deferred" for line in scene.worker.log())


async def kill_while_written(scene: FaultScene) -> None:
    """The browser is killed while a page writes cookies and storage into the profile."""
    job = await scene.push("writes", PROFILE, rounds=100_000)
    watched = gone.watch(signal_browser(await scene.at_work(), signal.SIGKILL))
    result = await scene.result(job)
    assert [attempt["outcome"] == "succeeded" for attempt in result["attempts"]] == [False, True], result
    assert LOGIN in await scene.clean(PROFILE)
    assert not await asyncio.to_thread(gone.left, watched, GONE_SECONDS)


FAULTS: tuple[Fault, ...] = (
    service_worker,
    popups,
    large_download,
    renderer_memory,
    hung_close,
    stale_lock,
    full_disk,
    kill_while_written,
)
