"""Loads the trust store from the settings: base64 lines, `.pub` files, and the trust file with scopes."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from pageworker_sandbox.signing import (
    KeyUnusable,
    Mistake,
    PublicKey,
    TrustFile,
    TrustFileInvalid,
    TrustStore,
    parse_public,
    parse_trust_file,
)
from pageworker_sandbox.signing.trust_file import MAX_FILE_BYTES as MAX_TRUST_FILE_BYTES

MAX_FILE_BYTES = 4096


def load_trust(entries: Iterable[str], file: Path | None = None) -> TrustStore:
    """`modules.trusted_keys` and the trust file as a TrustStore. Raises KeyUnusable naming every entry that is no
    public key, TrustFileInvalid naming every mistake in the file."""
    keys: list[PublicKey] = []
    wrong: list[str] = []
    for entry in entries:
        try:
            keys.append(load_public(entry))
        except KeyUnusable as error:
            wrong.append(str(error))
    if wrong:
        raise KeyUnusable("; ".join(wrong))
    return (TrustFile() if file is None else read_trust_file(file)).store(keys)


def read_trust_file(file: Path) -> TrustFile:
    """The trust file. Paths of `.pub` files in it begin at its folder. Raises TrustFileInvalid."""
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            untrusted = opened.read(MAX_TRUST_FILE_BYTES + 1)
    except OSError as error:
        raise TrustFileInvalid((Mistake(str(file), "", error.strerror or str(error), "a readable file"),)) from error
    if mode & stat.S_IWOTH:
        found = f"mode {stat.S_IMODE(mode):04o}, so every user may change whom this worker trusts"
        raise TrustFileInvalid((Mistake(str(file), "", found, f"a file that others cannot write: `chmod o-w {file}`"),))
    if len(untrusted) > MAX_TRUST_FILE_BYTES:
        expected = f"at most {MAX_TRUST_FILE_BYTES} bytes"
        raise TrustFileInvalid((Mistake(str(file), "", "a larger file", expected),))
    try:
        text = untrusted.decode()
    except UnicodeDecodeError as error:
        raise TrustFileInvalid((Mistake(str(file), "", str(error), "UTF-8"),)) from error
    return parse_trust_text(text, file)


def parse_trust_text(text: str, file: Path) -> TrustFile:
    """The same from a text that `file` has, or will have. Raises TrustFileInvalid."""
    return parse_trust_file(text, lambda entry: load_public(entry, file.parent), str(file))


def load_public(entry: str, folder: Path = Path()) -> PublicKey:
    """A public key from its base64 line, or from a `.pub` file. `folder`: where a relative path begins.

    Raises KeyUnusable.
    """
    try:
        return parse_public(entry)
    except KeyUnusable as error:
        path = folder / Path(entry).expanduser()
        if "\n" in entry or not path.is_file():
            raise KeyUnusable(f"{entry[:80]}: neither a public key nor an existing file") from error
    try:
        with path.open("rb") as file:
            return parse_public(file.read(MAX_FILE_BYTES).decode())
    except (KeyUnusable, UnicodeDecodeError) as error:
        raise KeyUnusable(f"{path}: {error}") from error
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from error
