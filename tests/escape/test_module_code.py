"""Module code still works in the confined interpreter. Native code gets the same answers from the kernel."""

import errno
import platform
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pw_escape.prelude import PRELUDE
from pw_sandbox import sandboxes
from pw_sandbox.sandboxes import AgentSandbox

pytestmark = [pytest.mark.sandbox, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def confined(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AgentSandbox]:
    """The state in which module code runs: Playwright and a browser are up, both layers are applied."""
    profile = tmp_path_factory.mktemp("escape") / "profile"
    async with sandboxes.sandbox(sandboxes.host(sandboxes.HEADLESS), sandboxes.spec(profile)) as inside:
        await inside.browse(sandboxes.HEADLESS)
        await inside.run(PRELUDE)
        yield inside


async def test_the_page_goes_on_working(confined: AgentSandbox) -> None:
    title = "await page.goto('data:text/html,<title>up</title>')\nanswer = await page.title()"
    assert await confined.run(title) == "up"


async def test_threads_memfds_and_imports_go_on_working(confined: AgentSandbox) -> None:
    works = """
import decimal, sqlite3, zoneinfo, unicodedata
from pageworker_sandbox import memfd
done = []
threads = [threading.Thread(target=done.append, args=(1,)) for _ in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
fd = memfd.seal(b"x" * 1000, "x")
answer = [len(done), len(memfd.read_sealed(fd, 1000)), str(zoneinfo.ZoneInfo("Europe/Berlin"))]
os.close(fd)
"""
    assert await confined.run(works) == [8, 1000, "Europe/Berlin"]


async def test_a_thread_is_as_confined_as_its_process(confined: AgentSandbox) -> None:
    attack = """
errors = []
def attack():
    for act in (os.fork, lambda: os.listdir("/profile"), socket.socket):
        try:
            act()
        except OSError as error:
            errors.append(error.errno)
thread = threading.Thread(target=attack); thread.start(); thread.join()
answer = errors
"""
    assert await confined.run(attack) == [errno.EPERM, errno.EACCES, errno.EPERM]


async def test_no_signal_goes_to_the_driver_by_way_of_a_descriptors_owner(confined: AgentSandbox) -> None:
    # The attack `signal by a descriptor's owner, once confined` is its control, on another process.
    attack = """
read, write = os.pipe()
fcntl.fcntl(read, fcntl.F_SETOWN, os.getpid() + 1)
fcntl.fcntl(read, 10, signal.SIGKILL)
fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
os.write(write, b"x")
await page.goto("data:text/html,<title>alive</title>")
answer = await page.title()
"""
    assert await confined.run(attack) == "alive"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86-64")
async def test_native_code_runs_and_is_refused_the_same(confined: AgentSandbox) -> None:
    """The trust model permits this: machine code, and libraries from memory, in the process itself."""
    number = await confined.run("answer = native('b827000000' '0f05' 'c3') == os.getpid()")  # getpid()
    opened = await confined.run("answer = native('b829000000' 'bf02000000' 'be01000000' '31d2' '0f05' 'c3')")  # socket
    assert (number, opened) == (True, -errno.EPERM)
    loaded = """
fd = os.memfd_create("x")
os.write(fd, open(library(), "rb").read())
answer = bool(ctypes.CDLL(f"/proc/self/fd/{fd}"))
"""
    assert await confined.run(loaded)


@pytest.mark.parametrize("way", ["memory", "memory and loader", "loader"])
async def test_native_code_can_start_programs_that_have_no_more_than_it(way: str, tmp_path: Path) -> None:
    """The trust model permits this: Landlock does not check programs in memory, nor files that the loader maps. The
    attacker gains nothing by it, because such a program has all the restrictions of its parent."""
    code = """
from pageworker_sandbox import confine
from pageworker_sandbox.confine import paths
confine.allow_exec([NODE])
(loader,) = paths.loaders()
try:
    run(sys.executable, "-c", "pass")
except OSError as error:
    answer = [error.errno]
inner = f"import os, sys\\ntry: os.execv({sys.executable!r}, ['x'])\\nexcept OSError as error: sys.exit(error.errno)"
words = ["-I", "-S", "-c", inner]
if way == "loader":
    command, kept = [loader, sys.executable, *words], ()
else:
    memory = os.memfd_create("x")
    os.write(memory, open(sys.executable, "rb").read())
    command, kept = [f"/proc/self/fd/{memory}", *words], (memory,)
    if way == "memory and loader": command.insert(0, loader)
answer.append(subprocess.run(command, pass_fds=kept).returncode)
"""
    async with sandboxes.sandbox(sandboxes.host(sandboxes.HEADLESS), sandboxes.spec(tmp_path / "profile")) as inside:
        await inside.run(PRELUDE)
        assert await inside.run(code, way=way) == [errno.EACCES, errno.EACCES]
