"""Runs a script as an ordinary local user: another user id, no group, no capability, and the whole host visible."""

import os
import subprocess
import sys
from dataclasses import dataclass

USER = 54_321
"""An unused user id, below every range that daemons reserve."""
PYTHON = "/usr/bin/python3"
"""The system's Python: this user may have no access to the checkout."""
SECONDS = 20.0

# Functions for every script. `got` prints what the try obtained; a script that ends without it was refused.
PRELUDE = """
import os, signal, socket, stat, struct, sys, time
from pathlib import Path

def got(what):
    sys.stdout.write("GOT " + repr(what)[:2000] + "\\n")
    sys.stdout.flush()

def resp(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\\r\\n" % len(parts) + b"".join(b"$%d\\r\\n%s\\r\\n" % (len(part), part) for part in parts)

def redis(port, *commands, seconds=3):
    # Replies as bytes, all in one. Raises PermissionError if the last command is refused.
    with socket.create_connection(("127.0.0.1", int(port)), timeout=seconds) as client:
        said = b""
        for command in commands:
            client.sendall(resp(*command))
            said = client.recv(1 << 20)
        if said.startswith(b"-"):
            raise PermissionError(said.decode(errors="replace").strip())
        return said
"""


@dataclass(frozen=True)
class LocalTry:
    """How a try ended. `got`: what it obtained, "" if it was refused. `said`: its whole output."""

    got: str
    said: str


def act(script: str, *arguments: object) -> LocalTry:
    """Run it as the ordinary user; `sys.argv[1:]` are the arguments."""
    return act_as(USER, script, *arguments)


def act_as(uid: int, script: str, *arguments: object) -> LocalTry:
    """Run it as this user, without group and capability."""
    user = ("setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--bounding-set", "-all")
    return _run(user if os.geteuid() == 0 else (), script, arguments)


def act_as_root(script: str, *arguments: object) -> LocalTry:
    """The control of tries on files and processes: the same script as root, whom no protection stops."""
    return _run((), script, arguments)


def _run(user: tuple[str, ...], script: str, arguments: tuple[object, ...]) -> LocalTry:
    python = PYTHON if os.geteuid() == 0 else sys.executable
    done = subprocess.run(
        [*user, python, "-I", "-c", PRELUDE + script, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )
    found = [line.removeprefix("GOT ") for line in done.stdout.splitlines() if line.startswith("GOT ")]
    return LocalTry("\n".join(found), f"{done.returncode}\n{done.stdout}{done.stderr}")
