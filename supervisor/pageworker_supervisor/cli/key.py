"""`workerctl key`: key pairs in minisign's format."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pageworker_sandbox.signing import KeyUnusable, PublicKey, SecretKey, write_secret
from pageworker_sandbox.signing.keys import is_encrypted
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show, table
from pageworker_supervisor.cli.password import PasswordFile, new_password
from pageworker_supervisor.registry.trust import load_public

app = App(name="key", help="Make and show the keys that modules are signed with.")

Folder = Annotated[Path, Parameter(name=("--dir", "-d"), help="Folder of the key files.")]


@app.command
def new(
    name: str,
    *,
    folder: Folder = Path(),
    password_file: PasswordFile = None,
    no_password: Annotated[bool, Parameter(name=("--no-password", "-W"), negative=())] = False,
    json: Json = False,
) -> None:
    """Write NAME.key (secret, for signing) and NAME.pub (public, for `modules.trusted_keys`).

    Parameters
    ----------
    name
        What the two files are called.
    no_password
        Leave the secret key unencrypted: for CI and tests.
    """
    if "/" in name or name.startswith((".", "-")) or not name:
        raise CommandError(f"{name!r} can not be a file's name", exit_code=CommandExit.USAGE)
    secret_file, public_file = _pair(folder, name)
    for path in (secret_file, public_file):
        if path.exists():
            raise CommandError(
                f"{path} is there already", "choose another name; a key is not made twice", CommandExit.REFUSED
            )
    key = SecretKey.new()
    try:
        text = write_secret(key, None if no_password else new_password(password_file))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(secret_file, text)
        _write(public_file, key.public.file())
    except (OSError, KeyUnusable) as error:
        raise CommandError(str(error)) from error
    told = f"{secret_file}  secret, keep it\n{public_file}  public key {key.public.name}\n{key.public.line()}"
    show(_facts(name, secret_file, public_file, key.public), told, json)


@app.command(name="show")
def show_key(key: str, *, folder: Folder = Path(), json: Json = False) -> None:
    """Print the line that stands for a public key in `modules.trusted_keys`.

    Parameters
    ----------
    key
        NAME of a pair, or a .pub file, or the line itself.
    """
    public = _read(key if not _pair(folder, key)[1].is_file() else str(_pair(folder, key)[1]))
    show({"id": public.name, "public_key": public.line()}, public.line(), json)


@app.command(name="list")
def list_keys(*, folder: Folder = Path(), json: Json = False) -> None:
    """List the key pairs in a folder."""
    facts = [
        _facts(path.stem, path.with_suffix(".key"), path, _read(str(path))) for path in sorted(folder.glob("*.pub"))
    ]
    head = ("name", "id", "secret key", "public key")
    rows = [(f["name"], f["id"], f["protection"] or "not here", f["public_key"]) for f in facts]
    show(facts, table(head, rows) if rows else f"no keys in {folder.absolute()}", json)


def _pair(folder: Path, name: str) -> tuple[Path, Path]:
    # Not with_suffix: a name may have dots.
    return folder / f"{name}.key", folder / f"{name}.pub"


def _facts(name: str, secret_file: Path, public_file: Path, public: PublicKey) -> dict[str, str | None]:
    there = secret_file.is_file()
    try:
        protection = ("password" if is_encrypted(secret_file.read_text("ascii")) else "open") if there else None
    except (OSError, UnicodeDecodeError, KeyUnusable):
        protection = "unreadable"
    return {
        "name": name,
        "id": public.name,
        "public_key": public.line(),
        "public_file": str(public_file),
        "secret_file": str(secret_file) if there else None,
        "protection": protection,
    }


def _read(entry: str) -> PublicKey:
    try:
        return load_public(entry)
    except KeyUnusable as error:
        raise CommandError(str(error), "make one with `workerctl key new NAME`") from error


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
