"""Seccomp policies without their rules for some calls. They prove that those rules have an effect."""

import struct
from functools import cache
from unittest.mock import patch

import msgspec

from pageworker_sandbox.launch import seccomp
from pageworker_sandbox.launch.seccomp import PolicyName, SeccompRule
from pw_escape.mechanisms import ARCHITECTURE, EVERYTHING

RETURN, ALLOW, KILL = 0x06, 0x7FFF0000, (0x00000000, 0x80000000)  # linux/bpf_common.h, linux/seccomp.h
INSTRUCTION = struct.Struct("HBBI")


NUMBERS = {"statmount": 457, "listmount": 458}
"""The same on every architecture. libseccomp may not know these names."""


def number(call: str) -> int | None:
    """Number of a system call on this machine."""
    known = known_number(call)
    return NUMBERS.get(call) if known is None else known


known_number = seccomp._number


@cache
def weakened(name: PolicyName, calls: frozenset[str]) -> bytes:
    """The policy as BPF, with these calls allowed for any arguments."""
    if EVERYTHING in calls:
        return INSTRUCTION.pack(RETURN, 0, 0, ALLOW)
    policy = seccomp.policy(name)
    wanted = calls - {ARCHITECTURE}
    if wanted:
        rows = [
            msgspec.structs.replace(rule, names=tuple(call for call in rule.names if call not in wanted))
            for rule in policy.syscalls
        ]
        rows.append(SeccompRule(names=tuple(sorted(wanted)), action="SCMP_ACT_ALLOW"))
        policy = msgspec.structs.replace(policy, syscalls=tuple(row for row in rows if row.names))
    with patch.object(seccomp, "_number", number):
        program = seccomp.compile_policy(policy)
    return _for_any_architecture(program) if ARCHITECTURE in calls else program


def _for_any_architecture(program: bytes) -> bytes:
    """Replace the kill for calls of another architecture, the only kill of a policy, by an allow."""
    found = bytearray(program)
    for at in range(0, len(found), INSTRUCTION.size):
        code, _, _, value = INSTRUCTION.unpack_from(found, at)
        if code == RETURN and value in KILL:
            INSTRUCTION.pack_into(found, at, RETURN, 0, 0, ALLOW)
    return bytes(found)
