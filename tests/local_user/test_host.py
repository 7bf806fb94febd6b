"""What an ordinary local user tries on the control socket, on processes and on user ids. The control is root."""

import json
from pathlib import Path

import psutil
import pytest
from pw_local_user import LocalUserHost, act, act_as, act_as_root

from pageworker_supervisor.host.rights import NEEDED
from pageworker_supervisor.host.uid_lock import LOCK_FILE

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]

# `sys.argv[1]` is the data folder.
CONTROL_SOCKET = {
    "connect to it": """
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1] + "/control.sock")
client.sendall(b"GET /status HTTP/1.1\\r\\nHost: w\\r\\nConnection: close\\r\\n\\r\\n")
said = client.recv(1 << 16)
if b"200 OK" in said: got(said[:100])
""",
    "connect to it through the daemon's /proc": """
for entry in os.listdir("/proc"):
    path = f"/proc/{entry}/root{sys.argv[1]}/control.sock"
    if entry.isdigit() and entry != str(os.getpid()) and os.path.exists(f"/proc/{entry}/root/"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        client.sendall(b"GET /status HTTP/1.1\\r\\nHost: w\\r\\nConnection: close\\r\\n\\r\\n")
        if b"200 OK" in client.recv(1 << 16): got("connected"); break
""",
    "open it to every user": """
path = sys.argv[1] + "/control.sock"
mode = stat.S_IMODE(os.stat(path).st_mode)
os.chmod(path, 0o600); got(oct(mode))
""",
    "have one of one's own in its place": """
other = sys.argv[1] + "/control.sock.mine"
server = socket.socket(socket.AF_UNIX)
server.bind(other)
os.unlink(other)
got("bound")
""",
    "watch the folder": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
watch = libc.inotify_add_watch(libc.inotify_init(), sys.argv[1].encode(), 0xFFF)
if watch >= 0: got(watch)
""",
}
# `sys.argv[1]` is a process of the daemon.
PROCESSES = {
    "read its environment": 'got(Path("/proc", sys.argv[1], "environ").read_bytes() or "(empty)")',
    "read its memory": 'Path("/proc", sys.argv[1], "mem").open("rb").close(); got("open")',
    "read what it has mapped": 'got(Path("/proc", sys.argv[1], "maps").read_text()[:200] or 1 / 0)',
    "list its open files": 'got(os.listdir(f"/proc/{sys.argv[1]}/fd"))',
    "enter its root": 'got(os.listdir(f"/proc/{sys.argv[1]}/root/"))',
    "trace it": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
# PTRACE_SEIZE: unlike an attach, it does not stop the process.
if libc.ptrace(0x4206, int(sys.argv[1]), 0, 0) == 0: libc.ptrace(17, int(sys.argv[1]), 0, 0); got("traced")
""",
    "copy a descriptor of it": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
pidfd = os.pidfd_open(int(sys.argv[1]))
if libc.syscall(438, pidfd, 0, 0) >= 0: got("copied")
""",
    "signal it": "os.kill(int(sys.argv[1]), 0); got('it may be killed')",
    "lower its limits": """
import resource
before = resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NOFILE)
resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NOFILE, before); got(before)
""",
    "slow it down": """
os.setpriority(os.PRIO_PROCESS, int(sys.argv[1]), os.getpriority(os.PRIO_PROCESS, int(sys.argv[1]))); got("set")
""",
    "offer it to the kernel's out-of-memory killer": """
path = Path("/proc", sys.argv[1], "oom_score_adj")
path.write_text(path.read_text()); got("written")
""",
}
# `sys.argv[1]` is a runner's user id, `sys.argv[2]` the lock file.
USERS = {
    "become a runner's user": "os.setresuid(int(sys.argv[1]), int(sys.argv[1]), int(sys.argv[1])); got(os.getuid())",
    "become it in a user namespace": """
import ctypes
read, write = os.pipe()
child = os.fork()
if child == 0:
    if ctypes.CDLL(None).unshare(0x10000000): os._exit(1)
    os.write(write, b"1")
    time.sleep(5)
    os._exit(0)
os.read(read, 1)
Path(f"/proc/{child}/uid_map").write_text(f"0 {sys.argv[1]} 1")
os.kill(child, 9)
got("mapped")
""",
    "hold its user id": """
import fcntl
with open(sys.argv[2], "r+b") as file:
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi0q", fcntl.F_RDLCK, 0, 1, 1, 0))
got("locked")
""",
    "put a lock in its place": """
path = sys.argv[2] + ".mine"
os.close(os.open(path, os.O_CREAT | os.O_EXCL))
os.unlink(path)
got("made")
""",
    "own a file of its": """
path = "/tmp/pageworker-own-" + str(os.getpid())
os.close(os.open(path, os.O_CREAT | os.O_EXCL))
try: os.chown(path, int(sys.argv[1]), -1); got("given")
finally: os.unlink(path)
""",
}


def process_of(host: LocalUserHost, whose: str) -> int:
    """The process id of the daemon, or of a program in one of its sandboxes."""
    if whose == "daemon":
        return host.daemon.pid
    wanted = {"gateway": "pageworker_sandbox.egress", "runner": "pageworker_runner", "browser": "--remote-debugging"}[
        whose
    ]
    children = psutil.Process(host.daemon.pid).children(recursive=True)
    return next(
        child.pid
        for child in children
        if wanted in " ".join(child.cmdline()) and child.name() not in ("bwrap", "redis-server")
    )


@pytest.mark.parametrize("name", CONTROL_SOCKET)
def test_an_ordinary_user_has_no_hold_of_the_control_socket(host: LocalUserHost, name: str) -> None:
    control = act_as_root(CONTROL_SOCKET[name], host.data_dir)
    assert control.got, f"the try itself does not work:\n{control.said}"
    tried = act(CONTROL_SOCKET[name], host.data_dir)
    assert not tried.got, tried.said
    assert host.workerctl("status").returncode == 0


WHOSE = ("daemon", "gateway", "runner", "browser")
# The control is done by the process's own user: root may lack the capability (CAP_SYS_RESOURCE) to do that to others.
OWN = ("lower its limits",)
PAIRS = [(name, whose) for name in PROCESSES for whose in WHOSE if whose == "daemon" or name not in OWN]


@pytest.mark.parametrize(("name", "whose"), PAIRS)
def test_an_ordinary_user_has_no_hold_of_a_process(host: LocalUserHost, name: str, whose: str) -> None:
    pid = process_of(host, whose)
    own = psutil.Process(pid).uids().real
    control = act_as(own, PROCESSES[name], pid) if name in OWN else act_as_root(PROCESSES[name], pid)
    assert control.got, f"the try itself does not work:\n{control.said}"
    tried = act(PROCESSES[name], pid)
    assert not tried.got, tried.said


@pytest.mark.parametrize("name", USERS)
def test_an_ordinary_user_is_no_runner(host: LocalUserHost, name: str) -> None:
    uid = psutil.Process(process_of(host, "runner")).uids().real
    control = act_as_root(USERS[name], uid, LOCK_FILE)
    assert control.got, f"the try itself does not work:\n{control.said}"
    tried = act(USERS[name], uid, LOCK_FILE)
    assert not tried.got, tried.said


def test_no_user_id_is_anybody_elses(host: LocalUserHost) -> None:
    """Daemon, gateway, runner: three users, none of them this host's. The daemon was started as root."""
    users = {whose: psutil.Process(process_of(host, whose)).uids().real for whose in ("daemon", "gateway", "runner")}
    assert len(set(users.values())) == 3
    assert min(users.values()) >= 60_578
    assert users["runner"] == psutil.Process(process_of(host, "browser")).uids().real


def test_the_daemon_has_left_root(host: LocalUserHost) -> None:
    """No right of root is left, its data folder is its own, and root's commands still work."""
    lines = (line.split(":", 1) for line in Path(f"/proc/{host.daemon.pid}/status").read_text().splitlines())
    status = {name: value.split() for name, value in lines}
    assert {status[name][0] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert int(status["CapBnd"][0], 16) == sum(1 << needed.number for needed in NEEDED)
    assert status["Groups"] == []
    (uid,) = {int(one) for one in status["Uid"] + status["Gid"]}
    assert host.data_dir.stat().st_uid == uid
    report = json.loads(host.workerctl("status", "--json").stdout)
    assert report["rights"] == {"uid": uid, "capabilities": [], "own_user_ids": True}


def test_command_lines_name_no_tenant_no_job_and_no_profile(host: LocalUserHost) -> None:
    """Every user may read them."""
    children = psutil.Process(host.daemon.pid).children(recursive=True)
    shown = " ".join(" ".join(child.cmdline()) for child in children)
    assert "pageworker_runner" in shown
    for word in ("acme", "private-1", "p1", str(host.data_dir / "profiles")):
        assert f"{word} " not in shown
        assert f"/{word}/" not in shown
