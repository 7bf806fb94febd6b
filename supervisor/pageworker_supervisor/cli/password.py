"""Passwords of secret keys: from a file, from the environment, or typed.

Never from the command line: every user of the host can read that.
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
_WAYS = f"Give --password-file FILE, set {VARIABLE}, or run the command in a terminal."

PasswordFile = Annotated[
    Path | None, Parameter(help=f"File with the password of the key. Default: the variable {VARIABLE}, else a prompt.")
]


def new_password(file: Path | None) -> bytes:
    """The password for a new key. Raises CommandError if there is none."""
    password = _given(file)
    if password is None:
        password = _ask("Password for the new key: ")
        if password != _ask("Repeat the password: "):
            raise CommandError("the two passwords differ", "Run the command again.")
    if not password:
        raise CommandError("the password is empty", "Choose a password, or give --no-password.", CommandExit.USAGE)
    return password


def open_key(path: Path, file: Path | None) -> SecretKey:
    """The secret key in a `.key` file. Asks for its password at most once. Raises CommandError.

    Opening a key with a password takes 1.06 GB of memory and about 3 s of CPU time. Open it once per command.
    """
    try:
        text = path.expanduser().read_bytes().decode("ascii")
        if not is_encrypted(text):
            return read_secret(text, None)
        password = _given(file)
        if password is None:
            password = _ask(f"Password of {path}: ")
            note("Opening the key. This takes about 3 s of CPU time and 1.06 GB of memory …")
        return read_secret(text, password)
    except OSError as error:
        mend = "Create a key with `workerctl key new NAME`." if isinstance(error, FileNotFoundError) else ""
        raise CommandError(f"{path}: {error.strerror}", mend) from error
    except (KeyUnusable, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, KeyUnusable) else "not a minisign secret key file"
        raise CommandError(f"{path}: {reason}", "Give the .key file and its own password.") from error


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
        raise CommandError("the key needs a password, and stdin is not a terminal", _WAYS, CommandExit.USAGE)
    return getpass.getpass(prompt).encode()
