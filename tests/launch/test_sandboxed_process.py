"""Sandboxed processes, really started: what /proc shows of them, what they use, and how they end."""

import errno
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from pw_sandbox import sandboxes
from pw_sandbox.orphans import inherits_orphans

from pageworker_sandbox.launch import Host, procfs

pytestmark = pytest.mark.sandbox
CHECKOUT = Path(__file__).resolve().parents[2]
WRITE = """
kept = open(path, "w+b")
for _ in range(50): kept.write(b"x" * 1_000_000)
kept.flush()
"""


async def test_the_kernels_proof(host: Host, profile: Path) -> None:
    async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
        await inside.run("pass")
        proof = await inside.process.proof()
        ours = procfs.namespaces("self")
    assert proof["uid"] == str(sandboxes.UID or os.getuid())
    assert (proof["no_new_privs"], proof["seccomp"], proof["cap_eff"]) == ("1", "2", "0" * 16)
    assert all(proof[f"ns_{name}"] != inode for name, inode in ours.items())


async def test_what_is_inside(host: Host, profile: Path) -> None:
    look = """
import os, platform
def is_program(path):
    return os.access(path, os.X_OK) and not path.endswith(".so") and open(path, "rb").read(4) == b"\\x7fELF"
found = {os.path.join(folder, file) for top in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/opt")
         for folder, _, files in os.walk(top) for file in files if is_program(os.path.join(folder, file))}
answer = {"env": dict(os.environ), "host": platform.node(), "cwd": os.getcwd(), "programs": sorted(found),
          "etc": sorted(os.listdir("/etc")), "fds": len(os.listdir("/proc/self/fd")), "uid": os.getuid(),
          "pids": sorted(int(p) for p in os.listdir("/proc") if p.isdigit()),
          "first": open("/proc/1/cmdline").read() + open("/proc/1/environ").read()}
"""
    async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
        seen = await inside.run(look)
    assert set(seen["env"]) <= {"HOME", "LANG", "PWD"}
    assert (seen["host"], seen["cwd"], seen["uid"]) == ("runner", "/", 1000)
    assert "passwd" not in seen["etc"]
    # 0 1 2, epoll, asyncio's pair, the channel, the filter, the listing itself.
    assert seen["fds"] == 9
    assert seen["pids"] == [1, 2]
    assert str(CHECKOUT) not in seen["first"]
    assert seen["programs"] == [str(program) for program in programs(host)]


def programs(host: Host) -> list[Path]:
    return sorted([Path("/opt/pageworker/site/playwright/driver/node"), host.python])


async def test_the_trusted_side_can_not_be_imported(host: Host, profile: Path) -> None:
    names = ["pageworker_supervisor", "pageworker_profiles", "redis", "nacl", "httpx", "psutil", "pip", "pyseccomp"]
    names += ["pageworker_sandbox.launch", "pageworker_sandbox.egress", "pageworker_sandbox.signing"]
    async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
        await inside.run("import playwright, msgspec, greenlet, pageworker_sandbox.wire.messages")
        for name in names:
            with pytest.raises(sandboxes.RaisedInside, match="No module named"):
                await inside.run(f"import {name}")


async def test_chatter_is_cut_to_its_tail_and_never_blocks(host: Host, profile: Path) -> None:
    async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
        await inside.run("import os\nfor i in range(2000): os.write(2, b'x' * 1000)\nos.write(2, b'the end')")
        inside.process.kill()
        await inside.process.wait()
        assert inside.process.stderr.endswith("the end")
        assert len(inside.process.stderr) <= 8192


async def test_exit_status_is_told(host: Host, profile: Path) -> None:
    async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
        with pytest.raises(EOFError):
            await inside.run("import os; os._exit(7)")
        status = await inside.process.wait()
        assert (status.code, status.signal) == (7, None)


async def test_kill_may_be_repeated(host: Host, profile: Path) -> None:
    async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
        inside.process.kill()
        inside.process.kill()
        await inside.process.wait()
        await inside.process.wait()
        inside.process.kill()
        assert await inside.process.memory_bytes() == 0
        assert await inside.process.processes() == 0


async def test_an_init_process_that_bubblewrap_did_not_wait_for_is_no_zombie(host: Host, profile: Path) -> None:
    with inherits_orphans():
        async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
            (init,) = procfs.children(inside.process.pid)
            os.kill(inside.process.pid, signal.SIGKILL)
            await inside.process.wait()
            assert not Path(f"/proc/{init}").exists()


async def test_memory_counts_what_is_mapped_and_what_is_not(host: Host, profile: Path) -> None:
    async with sandboxes.sandbox(host, sandboxes.spec(profile)) as inside:
        await inside.run("pass")
        before = await inside.process.memory_bytes()
        await inside.run("kept = bytearray(b'x') * 50_000_000")
        mapped = await inside.process.memory_bytes()
        await inside.run(
            "import os\nhidden = os.memfd_create('x')\nfor _ in range(50): os.write(hidden, bytes(1_000_000))"
        )
        hidden = await inside.process.memory_bytes()
    assert 45e6 < mapped - before < 70e6
    assert 45e6 < hidden - mapped < 70e6


async def test_a_tmpfs_counts_as_memory_and_what_is_mapped_of_it_counts_once(host: Host, profile: Path) -> None:
    """880 MiB were in use under a limit of 700: /tmp and /dev/shm were in no account."""
    async with sandboxes.sandbox(host, replace(sandboxes.spec(profile), profile_dir=None)) as inside:
        await inside.run("pass")
        before = await inside.process.memory_bytes()
        for path in ("/tmp/x", "/dev/shm/x", "/profile/x"):
            await inside.run(WRITE, path=path)
        written = await inside.process.memory_bytes()
        await inside.run("import mmap\nseen = mmap.mmap(kept.fileno(), 0)\nanswer = sum(seen[::4096])")
        mapped = await inside.process.memory_bytes()
        cheap = await inside.process.memory_bytes(at_most=10**12)
        uses = {str(use.inside): use for use in await inside.process.tmpfs_use()}
    assert 3 * 45e6 < written - before < 3 * 70e6
    assert abs(mapped - written) < 10e6
    assert cheap - mapped > 45e6
    assert {path: use.files for path, use in uses.items()} == {"/tmp": 2, "/dev/shm": 2, "/profile": 2}, "with its root"
    assert uses["/profile"].used_bytes == 50_003_968
    assert uses["/profile"].most_bytes == 512 * 1024**2


async def test_files_in_a_tmpfs_are_counted_by_the_kernel(host: Host, profile: Path) -> None:
    async with sandboxes.sandbox(host, replace(sandboxes.spec(profile), profile_dir=None, scratch_files=500)) as inside:
        with pytest.raises(sandboxes.RaisedInside) as full:
            await inside.run("for n in range(500): open(f'/profile/{n}', 'w').close()")
        (use,) = (use for use in await inside.process.tmpfs_use() if use.inside == Path("/profile"))
    assert full.value.errno == errno.ENOSPC
    assert use.files == use.most_files == 500
