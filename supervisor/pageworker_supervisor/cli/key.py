"""`workerctl key`: key pairs in the format of minisign."""

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from pageworker_sandbox.signing import KeyUnusable, PublicKey, SecretKey, write_secret
from pageworker_sandbox.signing.keys import import_public, is_encrypted
from pageworker_supervisor.cli.answers import KeyPairAnswer, PublicKeyAnswer
from pageworker_supervisor.cli.audited import Reason
from pageworker_supervisor.cli.bundle_file import read_limited
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show, table
from pageworker_supervisor.cli.password import PasswordFile, new_password
from pageworker_supervisor.registry.trust import MAX_FILE_BYTES, load_public

app = App(name="key", help="Create, show and revoke the keys that sign modules.")

Folder = Annotated[Path, Parameter(name=("--dir", "-d"), help="Folder of the key files. Default: the current folder.")]


@app.command
def new(
    name: str,
    *,
    folder: Folder = Path(),
    password_file: PasswordFile = None,
    no_password: Annotated[bool, Parameter(name=("--no-password", "-W"), negative=())] = False,
    json: Json = False,
) -> None:
    """Create a key pair: NAME.key (secret, signs) and NAME.pub (public, for `modules.trusted_keys`).

    A password encrypts the secret key with scrypt, as minisign does. Each use of such a key takes 1.06 GB of memory and
    about 3 s of CPU time. Example: `workerctl key new release`.

    Parameters
    ----------
    name
        Name of the two files, without an ending.
    no_password
        Do not encrypt the secret key. For CI, where a secret store protects the file, and for tests.
    """
    _check_name(name)
    secret_file, public_file = _pair(folder, name)
    for path in (secret_file, public_file):
        if path.exists():
            raise CommandError(
                f"{path} already exists", "Choose another name: a key is never overwritten.", CommandExit.REFUSED
            )
    key = SecretKey.new()
    try:
        text = write_secret(key, None if no_password else new_password(password_file))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(secret_file, text, 0o600)
        _write(public_file, key.public.file(), 0o644)
    except (OSError, KeyUnusable) as error:
        raise CommandError(str(error)) from error
    text = f"{secret_file}  secret key, keep it safe\n{public_file}  public key {key.public.name}\n{key.public.line()}"
    show(_facts(name, secret_file, public_file, key.public), text, json)


@app.command(name="import")
async def import_key(
    name: str,
    public: str,
    *,
    folder: Folder = Path(),
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Write NAME.pub from a public key whose secret key is elsewhere, in an HSM or a KMS. `--signer` signs with it.

    Example: `workerctl key import release kms-public.pem`.

    Parameters
    ----------
    name
        Name of the file, without an ending.
    public
        Ed25519 public key: a file with PEM, or 32 bytes as hex or base64.
    """
    _check_name(name)
    path = Path(public).expanduser()
    secret_file, public_file = _pair(folder, name)
    # A registry's commands take long to import, and only this one records what it does.
    from pageworker_supervisor.cli.publishing_record import recorded
    from pageworker_supervisor.cli.registry_access import configured, registry_errors

    with registry_errors():
        try:
            key = import_public(read_limited(path, MAX_FILE_BYTES).decode() if path.is_file() else public)
            where = {"file": str(public_file.absolute())}
            async with recorded(configured(config), "key import", key.name, reason, where, kind="operator"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write(public_file, key.file(), 0o644)
        except FileExistsError as error:
            raise CommandError(
                f"{public_file} already exists", "Choose another name: a key is never overwritten.", CommandExit.REFUSED
            ) from error
        except UnicodeDecodeError as error:
            raise CommandError(str(error)) from error
    text = f"{public_file}  public key {key.name}\n{key.line()}"
    show(_facts(name, secret_file, public_file, key), text, json)


@app.command(name="show")
def show_key(key: str, *, folder: Folder = Path(), json: Json = False) -> None:
    """Print a public key as one line, for `modules.trusted_keys`.

    Example: `workerctl key show release`.

    Parameters
    ----------
    key
        NAME of a key pair, or a .pub file, or a public key as one line.
    """
    public = _read(key if not _pair(folder, key)[1].is_file() else str(_pair(folder, key)[1]))
    show(PublicKeyAnswer(public.name, public.line()), public.line(), json)


app.command("pageworker_supervisor.cli.key_trust:list_trusted", name="trusted", help="List the keys of a worker.")
app.command("pageworker_supervisor.cli.key_trust:revoke_key", name="revoke", help="Revoke a key in the trust file.")


@app.command(name="list")
def list_keys(*, folder: Folder = Path(), json: Json = False) -> None:
    """List the key pairs in a folder, and how each secret key is protected.

    Example: `workerctl key list --dir keys`.
    """
    facts = [
        _facts(path.stem, path.with_suffix(".key"), path, _read(str(path))) for path in sorted(folder.glob("*.pub"))
    ]
    head = ("NAME", "ID", "SECRET KEY", "PUBLIC KEY")
    rows = [(pair.name, pair.id, pair.protection or "none", pair.public_key) for pair in facts]
    show(
        facts,
        table(head, rows)
        if rows
        else f"There are no keys in {folder.absolute()}. `workerctl key new NAME` creates one.",
        json,
    )


def _check_name(name: str) -> None:
    if "/" in name or name.startswith((".", "-")) or not name:
        raise CommandError(
            f"{name!r} is not a name of a key",
            "Use letters, digits, `-` and `_`; --dir names the folder.",
            CommandExit.USAGE,
        )


def _pair(folder: Path, name: str) -> tuple[Path, Path]:
    # Not with_suffix: a name may contain dots.
    return folder / f"{name}.key", folder / f"{name}.pub"


def _facts(name: str, secret_file: Path, public_file: Path, public: PublicKey) -> KeyPairAnswer:
    there = secret_file.is_file()
    protection: Literal["password", "open", "unreadable"] | None
    try:
        protection = ("password" if is_encrypted(secret_file.read_text("ascii")) else "open") if there else None
    except (OSError, UnicodeDecodeError, KeyUnusable):
        protection = "unreadable"
    return KeyPairAnswer(
        name=name,
        id=public.name,
        public_key=public.line(),
        public_file=str(public_file),
        secret_file=str(secret_file) if there else None,
        protection=protection,
    )


def _read(entry: str) -> PublicKey:
    try:
        return load_public(entry)
    except KeyUnusable as error:
        raise CommandError(str(error), "Create a key with `workerctl key new NAME`.") from error


def _write(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        # Whatever the umask is: a worker under another user reads the public key.
        os.fchmod(descriptor, mode)
        file.write(text)
