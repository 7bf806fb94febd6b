"""OCI seccomp policies, compiled to BPF by libseccomp.

Source: the OCI runtime specification, config-linux.md#seccomp; seccomp_rule_add(3).
"""

import os
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import pyseccomp

PolicyName = Literal["runner", "confined", "gateway", "dialer"]
CHECKOUT = Path(__file__).resolve().parents[3] / "seccomp"
INSTALLED = Path(sysconfig.get_path("data")) / "share" / "pageworker" / "seccomp"


class SeccompArg(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A comparison of one argument. For MASKED_EQ, `value` is the mask and `value_two` is compared with the result."""

    index: int
    value: int
    op: Literal["SCMP_CMP_EQ", "SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"]
    value_two: int = 0


class SeccompRule(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One row of `syscalls`. All arguments must match."""

    names: tuple[str, ...]
    action: Literal["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"]
    args: tuple[SeccompArg, ...] = ()
    errno_ret: int = 1
    comment: str = ""


class SeccompPolicy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A policy file."""

    default_action: Literal["SCMP_ACT_ERRNO"]
    default_errno_ret: int
    architectures: tuple[str, ...]
    syscalls: tuple[SeccompRule, ...]
    comment: str = ""


def policy(name: PolicyName) -> SeccompPolicy:
    """Read a policy from the checkout, or from the installed files. Raises OSError, msgspec.DecodeError."""
    folder = CHECKOUT if (CHECKOUT / f"{name}.json").is_file() else INSTALLED
    return msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=SeccompPolicy)


@cache
def compiled(name: PolicyName) -> bytes:
    """The policy as BPF for this machine. Raises OSError, msgspec.DecodeError."""
    return compile_policy(policy(name))


def compile_policy(source: SeccompPolicy) -> bytes:
    """BPF for this machine's architecture. A system call of another architecture kills the process. Raises OSError."""
    program = pyseccomp.SyscallFilter(pyseccomp.ERRNO(source.default_errno_ret))
    default = (source.default_action, source.default_errno_ret)
    for rule in source.syscalls:
        if (rule.action, rule.errno_ret) == default and not rule.args:
            continue  # libseccomp refuses a rule that equals the default action
        action = pyseccomp.ALLOW if rule.action == "SCMP_ACT_ALLOW" else pyseccomp.ERRNO(rule.errno_ret)
        for number in (number for number in map(_number, rule.names) if number is not None):
            program.add_rule(action, number, *map(_comparison, rule.args))
    with os.fdopen(os.memfd_create("seccomp"), "w+b") as file:
        program.export_bpf(file)
        file.seek(0)
        return file.read()


def _number(name: str) -> int | None:
    """None for a call that this architecture or this libseccomp does not have: the default action applies to it."""
    number: int = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
    return number if number >= 0 else None


def _comparison(argument: SeccompArg) -> Any:
    operation = getattr(pyseccomp, argument.op.removeprefix("SCMP_CMP_"))
    return pyseccomp.Arg(argument.index, operation, argument.value, argument.value_two)
