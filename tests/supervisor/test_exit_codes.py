"""What ends the daemon does so in one line and with its documented exit code."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pw_daemon.place import HEADLESS_SHELL
from pw_doubles import any_typed
from pw_sandbox import uids
from pw_servers import redis_server
from pw_servers.ports import free_port

from pageworker_demo.toml import toml_text
from pageworker_sandbox.launch.errors import HostProblem, HostUnfit
from pageworker_sandbox.sandbox_rights import ESSENTIAL, right_of
from pageworker_sandbox.signing import SecretKey
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.exit_codes import DaemonExit, exit_of
from pageworker_supervisor.host.errors import DataFolderFull, DataFolderUnusable, HostRefused
from pageworker_supervisor.redis_client.errors import EmbeddedUnfit, NoRedisServer

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
DAEMON = ("-m", "pageworker_supervisor.daemon")
READY = b'"message":"ready"'
MOST_LINES = 1
CHECKOUT = Path(__file__).resolve().parents[2]
USER = uids.FIRST_UID + 1

pytestmark = [pytest.mark.redis, pytest.mark.sandbox]

# A daemon whose worker does something else than work, once it was told to stop or at once.
PATCHED = """
import asyncio, sys
from pageworker_supervisor import daemon, worker
async def run(self):
    {body}
worker.Worker.run = run
worker.longest_stop_seconds = lambda settings: 0.3
sys.argv[0] = "pageworker"
daemon.main()
"""


def config(home: Path, **sections: dict[str, Any]) -> Path:
    """Of a worker with a Redis of its own."""
    own: dict[str, dict[str, Any]] = {
        "redis": {"port": 0},
        "worker": {"id": "w1", "data_dir": str(home), "drain_seconds": 1},
        "http": {"bind": "127.0.0.1:0"},
        "browser": HEADLESS_SHELL,
        "tenants": {"*": {}},
        "modules": {"trusted_keys": [SecretKey.new().public.line()]},
    }
    file = home / "pageworker.toml"
    file.write_text(toml_text({key: {**own.get(key, {}), **sections.get(key, {})} for key in own | sections}))
    return file


def environment() -> dict[str, str]:
    """As ours."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def ended(*words: str) -> tuple[int, str]:
    """Exit code and stderr of a daemon that ends by itself."""
    done = subprocess.run(
        [sys.executable, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        timeout=60,
    )
    return done.returncode, done.stderr


def ended_as_user(configuration: str) -> tuple[int, str]:
    """The same of a daemon that an ordinary user starts. Its checkout, which may be closed to it, is bound at /mnt."""
    python = Path("/mnt", Path(sys.executable).relative_to(CHECKOUT))
    script = (
        f"mount --bind {CHECKOUT} /mnt; mount -t tmpfs -o mode=1777 tmpfs /tmp; cat > /tmp/pageworker.toml; cd /tmp; "
        f"exec setpriv --reuid {USER} --regid {USER} --clear-groups --bounding-set -all "
        f"{python} -B {' '.join(DAEMON)} --config /tmp/pageworker.toml < /dev/null"
    )
    folders = (Path("/mnt", name) for name in ("supervisor", "sandbox", "runner", "profiles"))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script],
        input=configuration,
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": "/tmp", "PYTHONPATH": os.pathsep.join(map(str, folders))},
        timeout=60,
    )
    return done.returncode, done.stderr


def one_line(text: str) -> str:
    """It, where it is one."""
    assert "Traceback" not in text
    (line,) = text.splitlines()
    return line


@contextmanager
def running(file: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon, once it takes jobs."""
    with subprocess.Popen(
        [sys.executable, *(words or (*DAEMON, "--config", str(file)))], stdout=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        try:
            assert any(READY in line for line in process.stdout)
            yield process
        finally:
            process.kill()


def test_the_environment_names_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEWORKER_CONFIG", str(config(tmp_path, pool={"runners": 0})))
    code, text = ended(*DAEMON)
    assert (code, f"{tmp_path}/pageworker.toml:" in text, "pool.runners" in text) == (
        DaemonExit.MISCONFIGURED,
        True,
        True,
    )


@pytest.mark.parametrize("limit", [6, 7, 12, 20])
def test_descriptors_that_are_used_up(tmp_path: Path, limit: int) -> None:
    """The first two end the imports, the others the checks of the host, which would call it unfit."""
    code = (
        "import resource, sys; from pageworker_supervisor.daemon import main; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {limit})); main()"
    )
    exit_code, said = ended("-c", code, "--config", str(config(tmp_path)))
    assert exit_code == DaemonExit.IN_USE
    assert one_line(said).startswith("this process has ")
    assert "raise its limit (LimitNOFILE)" in said


def test_a_mistake_is_told_where_descriptors_are_few(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pageworker_supervisor.daemon import main; "
        "import pageworker_supervisor.foreground; resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24)); main()"
    )
    exit_code, said = ended("-c", code, "--config", str(config(tmp_path, pool={"runners": 0})))
    assert exit_code == DaemonExit.MISCONFIGURED
    assert "pool.runners" in said


def test_a_taken_redis_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        code, said = ended(*DAEMON, "--config", str(config(tmp_path, redis={"port": port})))
    assert code == DaemonExit.IN_USE
    assert f"port {port}" in one_line(said)
    assert "redis.port" in said


def test_a_taken_http_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        bind = f"127.0.0.1:{squatter.getsockname()[1]}"
        code, said = ended(*DAEMON, "--config", str(config(tmp_path, http={"bind": bind})))
    assert code == DaemonExit.IN_USE
    line = one_line(said)
    assert f"http.bind {bind}: Address already in use; stop the program that listens there" in line


def test_a_data_folder_of_another_daemon_and_a_stop_in_good_order(tmp_path: Path) -> None:
    file = config(tmp_path)
    with running(file) as process:
        code, said = ended(*DAEMON, "--config", str(file))
        assert code == DaemonExit.IN_USE
        assert "another worker uses this data folder" in one_line(said)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == DaemonExit.STOPPED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize(
    ("options", "exit_code", "what", "mend"),
    [
        ("size=128k", DaemonExit.IN_USE, "is full", "free at least 1024 KiB"),
        ("nr_inodes=1", DaemonExit.IN_USE, "is full", "and one inode"),
        ("ro", DaemonExit.MISCONFIGURED, "is on a read-only file system", "ReadWritePaths="),
    ],
    ids=["full", "without inodes", "read-only"],
)
def test_a_data_folder_that_can_not_be_used(
    options: str, exit_code: DaemonExit, what: str, mend: str, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    file = config(tmp_path, worker={"data_dir": str(disk)})
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], check=True)
    try:
        code, said = ended(*DAEMON, "--config", str(file))
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    assert code == exit_code
    line = one_line(said)
    assert (f"the data folder {disk} {what}" in line, mend in line, "worker.data_dir" in line) == (True, True, True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_a_data_folder_of_another_user(tmp_path: Path) -> None:
    code, said = ended_as_user(config(tmp_path, worker={"data_dir": "/root"}).read_text())
    assert code == DaemonExit.MISCONFIGURED
    line = one_line(said)
    assert "may not write to the data folder /root, which belongs to user root" in line
    assert f"`chown -R {USER} /root`" in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_a_data_folder_that_can_not_be_created(tmp_path: Path) -> None:
    code, said = ended_as_user(config(tmp_path, worker={"data_dir": "/srv/pageworker-none/x"}).read_text())
    assert code == DaemonExit.MISCONFIGURED
    assert "data folder /srv/pageworker-none/x: /srv belongs to user root" in one_line(said)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_rights_that_the_host_lacks_are_all_told(tmp_path: Path) -> None:
    """An ordinary user has no other user ids, and may create no cgroup here. Landlock depends on the kernel."""
    required = [*ESSENTIAL, "own_uid", "cgroup"]
    file = config(tmp_path, worker={"data_dir": "/tmp/data"}, sandbox={"require": required})
    code, said = ended_as_user(file.read_text())
    assert code == DaemonExit.HOST_UNFIT
    assert "Traceback" not in said
    own_uid, cgroup = said.splitlines()
    for line, name in ((own_uid, "own_uid"), (cgroup, "cgroup")):
        right = right_of(any_typed(name))
        assert line.startswith(f"the right {name} is missing: ")
        assert line.endswith(f"{right.loss} (sandbox.require): {right.mend}")


def test_a_kernel_without_landlock(tmp_path: Path) -> None:
    """As one that was built without it: a filter of system calls answers ENOSYS."""
    script = (
        "import errno, pyseccomp as s; f = s.SyscallFilter(s.ALLOW); "
        "f.add_rule(s.ERRNO(errno.ENOSYS), 'landlock_create_ruleset'); f.load(); "
        "from pageworker_supervisor import daemon; daemon.main()"
    )
    required = {"require": ["landlock.net", *ESSENTIAL]}
    code, said = ended("-c", script, "--config", str(config(tmp_path, sandbox=required)))
    assert code == DaemonExit.HOST_UNFIT
    assert "Traceback" not in said
    names = [line.partition(" is missing: this kernel has no Landlock. ")[0] for line in said.splitlines()]
    assert names == ["the right landlock.fs", "the right landlock.net"]


def test_a_list_of_rights_without_which_no_runner_starts(tmp_path: Path) -> None:
    code, said = ended(*DAEMON, "--config", str(config(tmp_path, sandbox={"require": ["cgroup"]})))
    assert code == DaemonExit.MISCONFIGURED
    assert "sandbox.require" in said
    assert "no runner starts without landlock.fs, seccomp, userns, chromium_sandbox" in said


def test_a_redis_url_that_is_none(tmp_path: Path) -> None:
    code, said = ended(*DAEMON, "--config", str(config(tmp_path, redis={"url": "http://127.0.0.1:1"})))
    assert code == DaemonExit.MISCONFIGURED
    assert all(word in said for word in ("1 mistake in the configuration", "pageworker.toml:", "redis.url"))


def test_without_a_redis_server(tmp_path: Path) -> None:
    """Its start does not help before one is installed."""
    script = (
        "from pageworker_supervisor import daemon; from pageworker_supervisor.redis_client import embedded; "
        "embedded.PROGRAMS = ('no-such-redis',); daemon.main()"
    )
    code, said = ended("-c", script, "--config", str(config(tmp_path)))
    assert code == DaemonExit.HOST_UNFIT
    assert "apt install redis-server" in one_line(said)


def test_a_configuration_that_is_wrong(tmp_path: Path) -> None:
    code, said = ended(*DAEMON, "--config", str(config(tmp_path, redis={"prot": 1})))
    assert code == DaemonExit.MISCONFIGURED
    assert "redis.prot" in said
    assert "Traceback" not in said


def test_a_key_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("nonsense\n")
    keys = {"trusted_keys": [str(tmp_path / "key.pub")]}
    code, said = ended(*DAEMON, "--config", str(config(tmp_path, modules=keys)))
    assert code == DaemonExit.MISCONFIGURED
    assert "key.pub" in one_line(said)


def test_self_checks_that_refuse_are_all_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with redis_server(maxmemory="1gb") as server:
        server.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        own = {"redis": {"url": server.url}, "checks": {"data_dir_access": "refuse", "redis_persistence": "refuse"}}
        code, said = ended(*DAEMON, "--config", str(config(tmp_path, **own)))
        assert server.command("DBSIZE") == 0
    assert code == DaemonExit.CHECK_FAILED
    assert "3 self-checks refuse to start this worker:" in said
    assert all(name in said for name in ("data_dir_access: ", "redis_persistence: ", "redis_eviction: allkeys-lru"))
    assert "CONFIG SET maxmemory-policy noeviction" in said


def test_a_check_of_the_host_that_refuses_does_not_wait_for_redis(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    own = {"redis": {"url": f"redis://127.0.0.1:{free_port()}"}, "checks": {"data_dir_access": "refuse"}}
    code, said = ended(*DAEMON, "--config", str(config(tmp_path, **own)))
    assert (code, "1 self-check refuses to start" in said) == (DaemonExit.CHECK_FAILED, True)


def test_an_option_that_does_not_exist() -> None:
    assert ended(*DAEMON, "--no-such-option")[0] == DaemonExit.MISCONFIGURED


def test_a_bug_is_one_line_and_a_log_line_with_the_traceback(tmp_path: Path) -> None:
    script = PATCHED.format(body="raise LookupError('an\\nunexpected error')")
    done = subprocess.run(
        [sys.executable, "-c", script, "--config", str(config(tmp_path))],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert done.returncode == DaemonExit.BUG
    assert one_line(done.stderr) == "pageworker ended by a bug: LookupError: an unexpected error"
    (line,) = (line for line in done.stdout.splitlines() if "ended by a bug" in line)
    assert "Traceback" in line


def test_a_worker_that_hangs_is_ended_by_the_kernel(tmp_path: Path) -> None:
    body = 'print(\'"message":"ready"\', flush=True)\n    while True:\n        await asyncio.sleep(1)'
    with running(tmp_path, "-c", PATCHED.format(body=body), "--config", str(config(tmp_path))) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGALRM


def test_which_error_means_what() -> None:
    invalid = ConfigInvalid((ConfigProblem("", "redis.url", "x", "y", "z"),))
    busy, none = EmbeddedUnfit("port 1 is taken", "take another"), NoRedisServer("there is none", "install it")
    assert exit_of(invalid, started=False)[0] is DaemonExit.MISCONFIGURED
    assert exit_of(ExceptionGroup("", [ExceptionGroup("", [busy])]), started=False) == (DaemonExit.IN_USE, str(busy))
    assert exit_of(OSError(28, "No space left on device"), started=False)[0] is DaemonExit.IN_USE
    assert exit_of(OSError(28, "No space left on device"), started=True)[0] is DaemonExit.BUG
    assert exit_of(ExceptionGroup("", [busy, KeyError("k")]), started=False)[0] is DaemonExit.BUG
    assert exit_of(none, started=False) == (DaemonExit.HOST_UNFIT, str(none))
    assert exit_of(ExceptionGroup("", [busy, none]), started=False)[0] is DaemonExit.HOST_UNFIT
    assert exit_of(ExceptionGroup("", [none, invalid]), started=False)[0] is DaemonExit.MISCONFIGURED
    assert exit_of(DataFolderUnusable("no", "yes"), started=False)[0] is DaemonExit.MISCONFIGURED
    assert exit_of(DataFolderFull("no", "yes"), started=False)[0] is DaemonExit.IN_USE
    assert exit_of(HostRefused("no", "yes"), started=False)[0] is DaemonExit.HOST_UNFIT


def test_an_unfit_host_whose_problems_pass_may_be_tried_again() -> None:
    lasts, passes = HostProblem("no bubblewrap", "PATH", "install"), HostProblem("no memory", "x", "wait", passing=True)
    assert exit_of(HostUnfit((lasts, passes)), started=False)[0] is DaemonExit.HOST_UNFIT
    assert exit_of(HostUnfit((passes,)), started=False)[0] is DaemonExit.IN_USE


def test_the_documented_codes_are_these() -> None:
    section = DOCS.read_text().partition("## How the daemon ends")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d+) \|", section, re.MULTILINE)
    assert [int(row) for row in rows] == [*DaemonExit, 128 + signal.SIGALRM]
