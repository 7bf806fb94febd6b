"""What an ordinary local user tries on the files and processes of the daemon. Root, trying the same, is not refused."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from pw_local_user import LocalUserHost, act, act_as_root

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]

# `sys.argv[1]` is a data folder.
READS = {
    "list the data folder": "got(os.listdir(sys.argv[1]))",
    "list Redis' folder": 'got(os.listdir(sys.argv[1] + "/redis"))',
    "read the queue from Redis' file": """
got(Path(sys.argv[1], "redis/data/appendonlydir/appendonly.aof.1.incr.aof").read_bytes())
""",
    "read Redis' log": 'got(Path(sys.argv[1], "redis/redis.log").read_bytes()[:200])',
    "read the passwords": """
for user in ("pageworker", "n8n", "reader"):
    got(Path(sys.argv[1], "redis", user + ".password").read_text())
""",
    "read a tenant's profile": """
for found in Path(sys.argv[1], "profiles").rglob("*"):
    if found.is_file(): got(found.read_bytes()[:10])
for found in Path(sys.argv[1], "profiles").rglob("Default"): got(os.listdir(found))
""",
    "list the tenants with profiles": 'got(os.listdir(sys.argv[1] + "/profiles"))',
    "read a module's bundle": """
for file in Path(sys.argv[1], "modules").rglob("*"):
    if file.is_file(): got(file.read_bytes()[:4])
""",
    "learn the daemon's name for its leases": 'got(Path(sys.argv[1], "incarnation").read_text())',
}
WRITES = {
    "leave a file in the data folder": 'Path(sys.argv[1], "mine").write_text("x"); got("written")',
    "leave a link in Redis' folder": 'os.symlink("/etc/passwd", sys.argv[1] + "/redis/port.new"); got("linked")',
    "put a password of one's own": 'Path(sys.argv[1], "redis/pageworker.password").write_text("mine"); got("written")',
    "cut Redis' file": """
os.truncate(Path(sys.argv[1], "redis/data/appendonlydir/appendonly.aof.1.incr.aof"), 0)
got("cut")
""",
    "move Redis' folder away": 'os.rename(sys.argv[1] + "/redis", sys.argv[1] + "/elsewhere"); got("moved")',
    "lead clients to another port": 'Path(sys.argv[1], "redis/port").write_text("1"); got("written")',
    "lock the daemon out of its folder": """
import fcntl
with open(sys.argv[1] + "/redis/daemon.lock", "rb") as file:
    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    got("locked")
""",
    "put a module of one's own": """
for file in Path(sys.argv[1], "modules").rglob("*"):
    if file.is_file(): file.write_bytes(b"mine"); got("written"); break
""",
}
# `sys.argv[1]` is a process.
PROCESSES = {
    "read its environment": 'got(Path("/proc", sys.argv[1], "environ").read_bytes())',
    "read its memory": 'Path("/proc", sys.argv[1], "mem").open("rb").close(); got("open")',
    "look at its open files": 'got(os.listdir(f"/proc/{sys.argv[1]}/fd"))',
    "go to where it works": 'os.listdir(f"/proc/{sys.argv[1]}/cwd/"); got("there")',
    "stop it": 'os.kill(int(sys.argv[1]), 0); got("it may be killed")',
}


@contextmanager
def copy_of(data_dir: Path) -> Iterator[Path]:
    """Where writes may succeed without harm to the daemon."""
    with tempfile.TemporaryDirectory(prefix="pw-copy-") as folder:
        copy = Path(folder) / "pageworker"
        shutil.copytree(
            data_dir, copy, ignore=lambda folder, names: [n for n in names if n.endswith(".sock")], symlinks=True
        )
        yield copy


@pytest.mark.parametrize("name", READS)
def test_an_ordinary_user_reads_nothing(host: LocalUserHost, name: str) -> None:
    control = act_as_root(READS[name], host.data_dir)
    assert control.got, f"the try itself does not work:\n{control.said}"
    tried = act(READS[name], host.data_dir)
    assert not tried.got, tried.said


@pytest.mark.parametrize("name", WRITES)
def test_an_ordinary_user_changes_nothing(host: LocalUserHost, name: str) -> None:
    with copy_of(host.data_dir) as copy:
        control = act_as_root(WRITES[name], copy)
    assert control.got, f"the try itself does not work:\n{control.said}"
    tried = act(WRITES[name], host.data_dir)
    assert not tried.got, tried.said


@pytest.mark.parametrize("whose", ["the daemon", "its Redis"])
@pytest.mark.parametrize("name", PROCESSES)
def test_an_ordinary_user_has_no_hold_of_a_process(host: LocalUserHost, name: str, whose: str) -> None:
    pid = host.daemon.pid if whose == "the daemon" else redis_of(host)
    control = act_as_root(PROCESSES[name], pid)
    assert control.got, f"the try itself does not work:\n{control.said}"
    tried = act(PROCESSES[name], pid)
    assert not tried.got, tried.said


def test_no_password_is_in_a_command_line_or_a_log(host: LocalUserHost) -> None:
    """What every user may read: command lines, `/status`, the log."""
    words = [file.read_text().strip() for file in (host.data_dir / "redis").glob("*.password")]
    assert len(words) == 3
    shown = [file.read_text(errors="replace") for file in Path("/proc").glob("[0-9]*/cmdline") if file.exists()]
    shown += [host.daemon.log_file.read_text(), host.daemon.get("/status").text, host.daemon.get("/metrics").text]
    shown += [host.workerctl("status", "--json").stdout, host.workerctl("doctor", "--json").stdout]
    shown.append((host.data_dir / "redis" / "redis.log").read_text())
    for word in words:
        assert len(word) >= 32
        assert not [text for text in shown if word in text]


def test_no_process_but_those_that_ask_for_it_has_a_password(host: LocalUserHost) -> None:
    words = [file.read_bytes().strip() for file in (host.data_dir / "redis").glob("*.password")]
    for process in psutil.Process(host.daemon.pid).children(recursive=True):
        environment = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert not [word for word in words if word in environment], process.cmdline()


def redis_of(host: LocalUserHost) -> int:
    """Its process id."""
    (found,) = (
        child.pid
        for child in psutil.Process(host.daemon.pid).children()
        if child.name() in ("redis-server", "valkey-server")
    )
    return found
