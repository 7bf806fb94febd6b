"""The policies as data: what they must not permit, and that they compile."""

import socket
import struct
from pathlib import Path

import msgspec
import pytest

from pageworker_sandbox.launch import seccomp
from pageworker_sandbox.launch.seccomp import PolicyName, SeccompPolicy

NAMES: tuple[PolicyName, ...] = ("runner", "confined", "gateway", "dialer")
NEVER = {
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "mount", "umount2", "pivot_root", "setns",
    "open_tree", "move_mount", "fsopen", "fsmount", "mount_setattr", "open_by_handle_at", "bpf", "perf_event_open",
    "keyctl", "add_key", "request_key", "userfaultfd", "io_uring_setup", "io_uring_enter", "kexec_load",
    "init_module", "finit_module", "clone3", "personality", "mknod", "mknodat", "settimeofday", "reboot",
}  # fmt: skip
NOT_ONCE_CONFINED = {
    "execve", "execveat", "fork", "vfork", "socket", "connect", "bind", "listen", "accept4", "kill", "tkill",
    "tgkill", "pidfd_open", "pidfd_send_signal", "unshare", "chroot", "seccomp", "capset", "setuid", "unlink",
    "rename", "mkdir", "creat", "symlink", "link", "truncate", "setrlimit", "sched_setaffinity",
}  # fmt: skip


def allowed(policy: SeccompPolicy, *, conditions: bool) -> set[str]:
    rows = (rule for rule in policy.syscalls if rule.action == "SCMP_ACT_ALLOW" and (conditions or not rule.args))
    return {name for rule in rows for name in rule.names}


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_to_a_program_that_the_kernel_takes(name: PolicyName) -> None:
    program = seccomp.compiled(name)
    assert len(program) % 8 == 0
    assert 8 < len(program) // 8 <= 4096
    assert seccomp.compiled(name) is program
    # The first instruction loads the architecture, offset 4 of struct seccomp_data.
    assert struct.unpack("HBBI", program[:8]) == (0x20, 0, 0, 4)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_never_permitted(name: PolicyName) -> None:
    assert not allowed(seccomp.policy(name), conditions=True) & NEVER


def test_what_is_not_permitted_once_confined() -> None:
    assert not allowed(seccomp.policy("confined"), conditions=True) & NOT_ONCE_CONFINED


@pytest.mark.parametrize("name", NAMES)
def test_what_depends_on_arguments_is_nowhere_permitted_without(name: PolicyName) -> None:
    policy = seccomp.policy(name)
    careful = {"socket", "socketpair", "clone", "unshare", "ioctl"}
    assert not allowed(policy, conditions=False) & careful
    assert allowed(policy, conditions=True) & careful


@pytest.mark.parametrize("name", ["runner", "dialer"])
def test_no_transport_but_tcp_and_udp(name: PolicyName) -> None:
    rows = [rule.args for rule in seccomp.policy(name).syscalls if rule.names == ("socket",)]
    internet = [row for row in rows if row[0].value_two in (socket.AF_INET, socket.AF_INET6)]
    assert {(row[1].value_two, row[2].value_two) for row in internet} == {
        (socket.SOCK_STREAM, 0),
        (socket.SOCK_STREAM, socket.IPPROTO_TCP),
        (socket.SOCK_DGRAM, 0),
        (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    }


def test_a_runner_has_no_netlink() -> None:
    # Chromium would find no interface but the loopback, and tell pages that they are offline.
    rows = [rule.args for rule in seccomp.policy("runner").syscalls if rule.names == ("socket",)]
    assert rows
    assert socket.AF_NETLINK not in {row[0].value_two for row in rows}


def test_no_option_of_a_runners_sockets_is_netfilters() -> None:
    # A user that is root in a namespace of its own may replace tables by them: IPT_SO_SET_REPLACE is 64.
    rows = [rule.args for rule in seccomp.policy("runner").syscalls if "setsockopt" in rule.names]
    assert all(row[0].op == "SCMP_CMP_MASKED_EQ" and row[0].value == 0xFFFFFFFF for row in rows)
    for level in (socket.SOL_IP, socket.IPPROTO_IPV6):
        ranges = [row[1] for row in rows if row[0].value_two == level]
        assert {argument.value for argument in ranges if argument.op == "SCMP_CMP_LT"} == {64}
        assert not {argument.value_two for argument in ranges if argument.op != "SCMP_CMP_LT"} & {64, 65, 68, 69}


@pytest.mark.parametrize("name", NAMES)
def test_no_call_is_both_denied_and_allowed(name: PolicyName) -> None:
    policy = seccomp.policy(name)
    denied = {call for rule in policy.syscalls if rule.action == "SCMP_ACT_ERRNO" for call in rule.names}
    assert not denied & allowed(policy, conditions=True)


@pytest.mark.parametrize("name", NAMES)
def test_ioctls_are_compared_by_the_32_bits_that_the_kernel_reads(name: PolicyName) -> None:
    # A comparison of all 64 bits is walked round by setting an upper one: CVE-2019-10063.
    rows = [rule for rule in seccomp.policy(name).syscalls if "ioctl" in rule.names]
    assert rows
    assert all(
        [(a.index, a.op, a.value) for a in rule.args] == [(1, "SCMP_CMP_MASKED_EQ", 0xFFFFFFFF)] for rule in rows
    )
    assert not {rule.args[0].value_two for rule in rows} & {0x5412, 0x541C}  # TIOCSTI, TIOCLINUX


def test_an_unknown_key_is_an_error() -> None:
    text = msgspec.json.encode(seccomp.policy("confined")).replace(b'"comment"', b'"remark"')
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=SeccompPolicy)


def test_calls_this_machine_does_not_know_are_left_out() -> None:
    policy = msgspec.structs.replace(
        seccomp.policy("confined"),
        syscalls=(seccomp.SeccompRule(names=("no_such_call", "read"), action="SCMP_ACT_ALLOW"),),
    )
    assert seccomp.compile_policy(policy)


@pytest.mark.parametrize("path", sorted(seccomp.CHECKOUT.glob("*.json")), ids=lambda path: path.stem)
def test_every_policy_in_the_folder_is_well_formed(path: Path) -> None:
    policy = msgspec.json.decode(path.read_bytes(), type=SeccompPolicy)
    assert seccomp.compile_policy(policy)
    assert all(rule.comment for rule in policy.syscalls)


def test_the_container_policy_permits_sandboxes_and_no_kernel_module() -> None:
    policy = msgspec.json.decode((seccomp.CHECKOUT / "container.json").read_bytes(), type=SeccompPolicy)
    assert allowed(policy, conditions=False) >= {"clone", "unshare", "mount", "pivot_root", "sethostname", "chroot"}
    assert not allowed(policy, conditions=True) & {"init_module", "bpf", "kexec_load", "io_uring_setup", "keyctl"}
