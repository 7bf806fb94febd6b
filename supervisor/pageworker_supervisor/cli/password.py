"""Passwords of secret keys: from a file, from the environment, or typed. Never from the command line, which
everyone on the host can read.
"""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_sandbox.signing import KeyUnusable, SecretKey, read_secret
from pageworker_sandbox.signing.keys import is_encrypted
from pageworker_supervisor.cli.output import CommandError, CommandExit, note

VARIABLE = "WORKERCTL_KEY_PASSWORD"
_WAYS = f"give --password-file FILE, set {VARIABLE}, or run it in a terminal"

PasswordFile = Annotated[
    Path | None, Parameter(help=f"File with the key's password. Else {VARIABLE} is read, else it is asked for.")
]


def new_password(file: Path | None) -> bytes:
    """The password for a new key. Raises CommandError."""
    password = _given(file)
    if password is None:
        password = _ask("Password for the new key: ")
        if password != _ask("Once more: "):
            raise CommandError("the two passwords differ")
    if not password:
        raise CommandError("the password is empty", "choose one, or give --no-password", CommandExit.USAGE)
    return password


def open_key(path: Path, file: Path | None) -> SecretKey:
    """The secret key in a `.key` file. Raises CommandError."""
    try:
        text = path.expanduser().read_bytes().decode("ascii")
        if not is_encrypted(text):
            return read_secret(text, None)
        password = _given(file)
        if password is None:
            password = _ask(f"Password of {path}: ")
            note("opening the key, this takes some seconds …")
        return read_secret(text, password)
    except OSError as error:
        mend = "make one with `workerctl key new NAME`" if isinstance(error, FileNotFoundError) else ""
        raise CommandError(f"{path}: {error.strerror}", mend) from error
    except (KeyUnusable, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, KeyUnusable) else "not a minisign secret key file"
        raise CommandError(f"{path}: {reason}") from error


def _given(file: Path | None) -> bytes | None:
    if file is not None:
        try:
            return file.expanduser().read_bytes().removesuffix(b"\n").removesuffix(b"\r")
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
    value = os.environ.get(VARIABLE)
    return None if value is None else value.encode()


def _ask(prompt: str) -> bytes:
    if not sys.stdin.isatty():
        raise CommandError("the key wants a password and there is nobody to ask", _WAYS, CommandExit.USAGE)
    return getpass.getpass(prompt).encode()
