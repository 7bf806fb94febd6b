"""The container's seccomp policy permits what a sandbox needs, and refuses what it does not need."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from deploy.container.render_seccomp import ADDED
from pw_escape.policies import number
from pw_escape.prelude import CALLS, PRELUDE
from pw_image.container import POLICY, hardened
from pw_image.podman import podman

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]

PYTHON = "/opt/pageworker/bin/python"
NEEDS = """
import json, os, subprocess, sys
from pageworker_sandbox.launch.errors import HostUnfit
from pageworker_sandbox.launch.preflight import survey
from pageworker_sandbox.launch.procfs import memfds
try:
    host = survey(None, None)
    sandbox, renamed = "started", host.renames
except HostUnfit as unfit:
    sandbox, renamed = str(unfit), False
code = "import os; os.write(os.memfd_create('x'), b'x'); print(flush=True); input()"
with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
    child.stdout.readline()
    counted = len(memfds(child.pid))
    child.kill()
print(json.dumps({"sandbox": sandbox, "renamed": renamed, "memfds": counted}))
"""
"""What the supervisor does: it starts a sandbox with a host name of its own, and counts the memfds of a process."""
WHOLE = {"sandbox": "started", "renamed": True, "memfds": 1}
REFUSED: Mapping[str, str] = {
    "add_key": "sys_('add_key', b'user', b'pw', b'x', 1, -2)",
    "keyctl": "sys_('keyctl', 0, -3, 0, 0, 0)",
    "bpf": "sys_('bpf', 0, buffer(120), 120)",
    "io_uring_setup": "sys_('io_uring_setup', 1, buffer(120))",
    "userfaultfd": "sys_('userfaultfd', 1)",
    "perf_event_open": "sys_('perf_event_open', buffer(120), 0, -1, -1, 0)",
    "ptrace": "sys_('ptrace', 0, 0, 0, 0)",
    "process_vm_readv": "sys_('process_vm_readv', os.getpid(), None, 0, None, 0, 0)",
    "personality": "sys_('personality', 0xffffffff)",
    "memfd_secret": "sys_('memfd_secret', 0)",
    "name_to_handle_at": "sys_('name_to_handle_at', -100, b'/', buffer(200), buffer(4), 0)",
    "setns": "sys_('setns', -1, 0)",
    "mknod": "sys_('mknodat', -100, b'/tmp/x', 0o10600, 0)",
    "fsopen": "root_in_a_namespace(NEWNS)\nsys_('fsopen', b'tmpfs', 0)",
    "open_tree": "sys_('open_tree', -100, b'/', 0)",
    "shmget": "sys_('shmget', 0, 4096, 0o1600)",
    "msgget": "sys_('msgget', 0, 0o1600)",
    "semget": "sys_('semget', 0, 1, 0o1600)",
    "netfilter by netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)",
    "packets": "root_in_a_namespace(NEWNET)\nsocket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "netfilter by an option": "root_in_a_namespace(NEWNET)\nsocket.socket().setsockopt(socket.SOL_IP, 64, bytes(4))",
}
"""Calls of the daemon's own user, outside of any sandbox. No part of pageworker makes them."""
TRY = """
import json, os
names = {"NR": NUMBERS}
exec(PRELUDE, names)
found = {}
for name, code in CODES.items():
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            exec(code, names)
            said = "done"
        except OSError as error:
            said = names["errno"].errorcode.get(error.errno, "?")
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    found[name] = os.read(read, 100).decode()
    os.close(read)
    os.wait()
print(json.dumps(found))
"""


def run(image: str, code: str, policy: Path | str) -> dict[str, Any]:
    """Run Python code in a hardened container with this policy. Returns the JSON object that it prints last."""
    options = [
        "--rm",
        "--no-healthcheck",
        "--pull",
        "never",
        "--network",
        "none",
        *hardened(policy),
        "--entrypoint",
        PYTHON,
    ]
    printed = podman("run", *options, image, "-c", code, timeout=300)
    answer: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return answer


def without(folder: Path, name: str) -> Path:
    """The policy without the rules that permit a call, or a netlink socket."""
    policy = json.loads(POLICY.read_text())
    if name == "netlink":
        kept = [rule for rule in policy["syscalls"] if "AF_NETLINK" not in rule["comment"]]
    else:
        kept = [{**rule, "names": [each for each in rule["names"] if each != name]} for rule in policy["syscalls"]]
    file = folder / "weaker.json"
    file.write_text(json.dumps({**policy, "syscalls": [rule for rule in kept if rule["names"]]}))
    return file


def test_it_permits_a_whole_sandbox(headless: str) -> None:
    assert run(headless, NEEDS, POLICY) == WHOLE


@pytest.mark.parametrize("name", [*(name for names in ADDED.values() for name in names), "netlink", "chroot"])
def test_no_call_can_be_spared(name: str, headless: str, tmp_path: Path) -> None:
    assert run(headless, NEEDS, without(tmp_path, name)) != WHOLE


def test_other_calls_are_refused_and_would_not_be_without_it(headless: str) -> None:
    calls = {name: found for name in CALLS if (found := number(name)) is not None}
    code = TRY.replace("NUMBERS", repr(calls)).replace("PRELUDE", repr(PRELUDE)).replace("CODES", repr(dict(REFUSED)))
    refused, permitted = run(headless, code, POLICY), run(headless, code, "unconfined")
    assert set(refused.values()) <= {"EPERM", "ENOSYS"}
    same = {name: outcome for name, outcome in refused.items() if permitted[name] == outcome}
    assert same == {}
