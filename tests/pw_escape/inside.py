"""The attack agent: runs in a sandbox in the place of the runner, and runs each attack in a process of its own.

A request and an answer are each a length (u32, big endian) and JSON. The process of an attack is forked before any
layer is applied. It prepares what the attack needs, confines itself like a runner (without the mechanisms to be left
out), and then runs the attack. The agent imports only what a runner has.
"""

import argparse
import base64
import json
import os
import select
import signal
import socket
import struct
import sys
from functools import cache
from types import CodeType
from typing import Any

# Imported before the first fork, so that an attack's process need not read the files again.
from pageworker_sandbox import confine as real
from pageworker_sandbox.confine import landlock, seccomp_filter

HEADER = struct.Struct("!I")
ATTACK_SECONDS = 20
Answer = dict[str, Any]


def serve(channel: socket.socket) -> None:
    """Serve until the other end is closed."""
    while header := channel.recv(HEADER.size, socket.MSG_WAITALL):
        request = json.loads(channel.recv(HEADER.unpack(header)[0], socket.MSG_WAITALL))
        prelude(request["prelude"])
        answer = json.dumps(alone(request, channel) if request["fork"] else attack(request, channel)).encode()
        channel.sendall(HEADER.pack(len(answer)) + answer)


def alone(request: Answer, channel: socket.socket) -> Answer:
    """Run the attack in a child. It reports by a pipe. An exec closes the pipe; then the exit status is the outcome."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        answer = attack(request, channel)
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    said = b""
    poll = select.poll()
    poll.register(read, select.POLLIN)
    while poll.poll(ATTACK_SECONDS * 1000):
        part = os.read(read, 65536)
        if not part:
            break
        said += part
    else:
        os.kill(child, signal.SIGKILL)
        said = json.dumps({"kind": "timeout", "text": f"nothing for {ATTACK_SECONDS} s"}).encode()
    os.close(read)
    _, status = os.waitpid(child, 0)
    if said:
        answered: Answer = json.loads(said)
        return answered
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return {"kind": "", "text": "a program ran to its end"}
    kind = signal.Signals(-code).name if code < 0 else f"exit {code}"
    return {"kind": kind, "text": "it ended without a report"}


def attack(request: Answer, channel: socket.socket) -> Answer:
    """The outcome. `kind` is empty if the attack succeeded; otherwise an errno name or error type."""
    names: dict[str, Any] = {"channel": channel, **request["names"]}
    try:
        exec(prelude(request["prelude"]), names)
        exec(request["before"], names)
        confine(request["layers"])
    except BaseException as error:  # noqa: BLE001 - reported
        return {"kind": "unprepared", "text": f"{type(error).__name__}: {error}"}
    try:
        exec(request["code"], names)
    except BaseException as error:  # noqa: BLE001 - any error of an attack is its outcome
        return told(error)
    return {"kind": "", "text": str(names.get("answer", ""))}


@cache
def prelude(text: str) -> CodeType:
    """Compile the prelude and import its modules once, before the first fork."""
    code = compile(text, "<prelude>", "exec")
    exec(code, {})
    return code


def told(error: BaseException) -> Answer:
    """The outcome for an error: the errno name of an OSError, otherwise the type."""
    import errno

    kind = getattr(error, "kind", type(error).__name__)
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        kind = errno.errorcode.get(error.errno, str(error.errno))
    return {"kind": kind, "text": f"{type(error).__name__}: {error}"}


def confine(layers: Answer) -> None:
    """Apply the layers of a runner, without the mechanisms that are left out."""
    # Any: names are replaced that its module does not declare.
    confinement: Any = sys.modules[real.confine.__module__]

    without = set(layers["without"])
    if layers["gateway"]:
        confine_like_the_gateway()
    if layers["exec"] and "Landlock layer 1" not in without:
        real.allow_exec(layers["exec"])
    filters = [base64.b64decode(text) for text in layers["filters"]]
    last = filters.pop() if layers["confined"] else b""
    for program in filters:
        seccomp_filter.load(memory(program))
    if not last:
        return
    out = {name.partition(": ")[2] for name in without if name.startswith("Landlock layer 2: ")}
    if layers["weakened"]:
        confinement.probes = Unasked()
        confinement._own_status = lambda descriptor: {}
    if out:
        every = landlock.all_fs(landlock.abi())
        rights = (
            0
            if "*" in out
            else int(every) & ~sum(landlock.AccessFs[x] for x in out - {"REFER"} if x in landlock.AccessFs.__members__)
        )
        landlock.all_fs = lambda version: landlock.AccessFs(rights)
        landlock.ALL_NET &= 0 if "TCP" in out else landlock.ALL_NET
        scopes = {"ABSTRACT_UNIX": landlock.Scope.ABSTRACT_UNIX_SOCKET, "SIGNAL": landlock.Scope.SIGNAL}
        landlock.ALL_SCOPES &= ~sum(scopes.get(name, 0) for name in out)
    if "REFER" in out:
        # Landlock refuses REFER where no rule allows it, so it must be allowed explicitly.
        restrict = landlock.restrict
        landlock.restrict = lambda handled, allowed, **options: restrict(
            handled | landlock.AccessFs.REFER, {**allowed, "/": landlock.AccessFs.REFER}, **options
        )
    if "not dumpable" in without:
        confinement.prctl = lambda option, value: 0
    if out >= {"*"}:
        landlock.ALL_NET, landlock.ALL_SCOPES = landlock.AccessNet(0), landlock.Scope(0)
        landlock.restrict = lambda *arguments, **options: ()
    real.confine(real.interpreter(), memory(last))


@cache
def confine_like_the_gateway() -> None:
    """Apply the gateway's Landlock, once: its sandbox permits no new process, so all attacks are in this one."""
    # Only the gateway's sandbox has what this needs.
    from pageworker_sandbox.egress import __main__ as gateway

    gateway.confine()


def memory(program: bytes) -> int:
    """A memfd with these bytes."""
    descriptor = os.memfd_create("filter")
    os.write(descriptor, program)
    return descriptor


class Unasked:
    """Stands in for the probes: they would end a process whose layers are incomplete on purpose."""

    def refusals(self) -> dict[str, str]:
        return {}

    def still_works(self) -> None:
        return


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel-fd", type=int, required=True)
    parser.add_argument("--filter-fd", type=int)
    arguments = parser.parse_args()
    # An attack that sends SIGHUP by its terminal must not end the agent.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    serve(socket.socket(fileno=arguments.channel_fd))
    sys.exit(0)
