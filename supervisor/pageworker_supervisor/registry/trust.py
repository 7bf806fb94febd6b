"""Loads the trust store from the settings: base64 lines and `.pub` files."""

from collections.abc import Iterable
from pathlib import Path

from pageworker_sandbox.signing import KeyUnusable, PublicKey, TrustStore, parse_public

MAX_FILE_BYTES = 4096


def load_trust(entries: Iterable[str]) -> TrustStore:
    """`modules.trusted_keys` as a TrustStore. Raises KeyUnusable naming every entry that is no public key."""
    keys: list[PublicKey] = []
    wrong: list[str] = []
    for entry in entries:
        try:
            keys.append(load_public(entry))
        except KeyUnusable as error:
            wrong.append(str(error))
    if wrong:
        raise KeyUnusable("; ".join(wrong))
    return TrustStore(keys)


def load_public(entry: str) -> PublicKey:
    """A public key from its base64 line, or from a `.pub` file. Raises KeyUnusable."""
    try:
        return parse_public(entry)
    except KeyUnusable as error:
        path = Path(entry).expanduser()
        if "\n" in entry or not path.is_file():
            raise KeyUnusable(f"{entry[:80]}: neither a public key nor an existing file") from error
    try:
        with path.open("rb") as file:
            return parse_public(file.read(MAX_FILE_BYTES).decode())
    except (KeyUnusable, UnicodeDecodeError) as error:
        raise KeyUnusable(f"{path}: {error}") from error
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from error
