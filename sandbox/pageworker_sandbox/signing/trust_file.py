"""Parses the trust file: text in, keys with scopes, revocations and rules out, or every mistake.

[[key]]                                   # a key and what it may sign
name = "shop-release-2026"
key = "RW…"                               # or the path of a .pub file
modules = ["shop.*"]
tenants = ["acme-*"]
channels = ["canary"]
may_index = true
may_rules = true                          # blocker rules; with `modules = []`, nothing else
not_after = 2027-01-01T00:00:00Z

[[scope]]                                 # modules that need several signatures
modules = ["pay.*"]
signatures = 2
keys = ["shop-release-2026", "8A2F…"]     # those that count

[[revoked]]                               # a key whose signatures never count
id = "8A2F…"
at = 2026-11-01T00:00:00Z
reason = "the laptop was stolen"
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pageworker_sandbox.signing.errors import KeyUnusable, Mistake, TrustFileInvalid
from pageworker_sandbox.signing.key_scope import EVERYTHING, KeyScope, Revocation, SignatureRule, TrustedKey
from pageworker_sandbox.signing.keys import PublicKey
from pageworker_sandbox.signing.limits import MOST_SIGNATURES
from pageworker_sandbox.signing.manifest import INSTANT, TENANT_GLOB, is_instant, show_value, unknown_key
from pageworker_sandbox.signing.trust import TrustStore

MAX_FILE_BYTES = 1024 * 1024
MOST_ENTRIES = 1000
MODULE_GLOB = re.compile(r"[a-z0-9_.*?]{1,100}")
CHANNEL_GLOB = re.compile(r"[A-Za-z0-9._*?-]{1,64}")
KEY_LABEL = re.compile(r"[A-Za-z0-9._-]{1,64}")
KEY_ID = re.compile(r"[0-9A-Fa-f]{16}")
REASON = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")

ReadKey = Callable[[str], PublicKey]
Check = Callable[[Any], bool]
Rules = Mapping[str, tuple[Check, str, bool]]


@dataclass(frozen=True)
class TrustFile:
    """What a valid trust file says. It names each key once."""

    keys: tuple[TrustedKey, ...] = ()
    revoked: tuple[tuple[bytes, Revocation], ...] = ()
    rules: tuple[SignatureRule, ...] = ()

    def store(self, plain_keys: Iterable[PublicKey] = ()) -> TrustStore:
        """The trust store with the keys of the file, and with `plain_keys`, whose scope is everything.

        For a key that is among both, the file counts. Raises KeyUnusable if two different keys have one id.
        """
        return TrustStore([*self.keys, *plain_keys], dict(self.revoked), self.rules)


def _globs(pattern: re.Pattern[str], least: int = 1) -> Check:
    return lambda value: (
        isinstance(value, list)
        and least <= len(value) <= MOST_ENTRIES
        and all(isinstance(entry, str) and pattern.fullmatch(entry) for entry in value)
    )


def _text(pattern: re.Pattern[str]) -> Check:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


_MODULES = (_globs(MODULE_GLOB), 'a list of module globs such as ["shop.*"]')
KEY_RULES: Rules = {
    "key": (lambda value: isinstance(value, str), "the base64 line of a minisign public key, or a .pub file", True),
    "name": (_text(KEY_LABEL), "a name of letters, digits and ._- such as release-2026", False),
    "modules": (_globs(MODULE_GLOB, least=0), _MODULES[1], False),
    "tenants": (_globs(TENANT_GLOB), 'a list of tenant globs such as ["acme-*"]', False),
    "channels": (_globs(CHANNEL_GLOB), 'a list of channel globs such as ["canary"]', False),
    "may_index": (lambda value: isinstance(value, bool), "true or false", False),
    "may_rules": (lambda value: isinstance(value, bool), "true or false", False),
    "not_after": (is_instant, INSTANT, False),
}
SCOPE_RULES: Rules = {
    "modules": (*_MODULES, True),
    "signatures": (
        lambda value: type(value) is int and 1 <= value <= MOST_SIGNATURES,
        f"a whole number, 1 to {MOST_SIGNATURES}",
        True,
    ),
    "keys": (_globs(KEY_LABEL), "a list of names or ids of keys of this file", False),
}
REVOKED_RULES: Rules = {
    "id": (_text(KEY_ID), "the id of a key: 16 hex digits", True),
    "at": (is_instant, INSTANT, True),
    "reason": (_text(REASON), "one line of at most 200 characters", True),
}
TABLES: dict[str, Rules] = {"key": KEY_RULES, "scope": SCOPE_RULES, "revoked": REVOKED_RULES}


def parse_trust_file(untrusted_text: str, read_key: ReadKey, file: str = "trust file") -> TrustFile:
    """The contents of a trust file. `read_key` gets a base64 line or a path, and raises KeyUnusable.

    Raises TrustFileInvalid with every mistake; `file` names the file there.
    """
    try:
        given = tomllib.loads(untrusted_text)
    except (ValueError, RecursionError) as error:
        raise TrustFileInvalid((Mistake(file, "", str(error), "TOML"),)) from error
    mistakes = [unknown_key(file, key, TABLES) for key in given if key not in TABLES]
    tables = {name: list(_entries(file, name, given.get(name, []), mistakes)) for name in TABLES}
    keys = [key for at, entry in tables["key"] if (key := _key(file, at, entry, read_key, mistakes)) is not None]
    _refuse_repeated(file, keys, mistakes)
    rules = [rule for at, entry in tables["scope"] if (rule := _rule(file, at, entry, keys, mistakes)) is not None]
    if mistakes:
        raise TrustFileInvalid(tuple(mistakes))
    revoked = [(key_id_of(entry["id"]), Revocation(entry["at"], entry["reason"])) for _, entry in tables["revoked"]]
    return TrustFile(tuple(keys), tuple(revoked), tuple(rules))


def key_id_of(text: str) -> bytes:
    """The id of a key from its 16 hex digits. Raises ValueError."""
    return bytes.fromhex(text)[::-1]


def _entries(file: str, table: str, given: Any, mistakes: list[Mistake]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of `[[table]]` with their place in the file. Only those without a mistake."""
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        mistakes.append(Mistake(file, table, "no list of tables", f"entries [[{table}]]"))
        return
    if len(given) > MOST_ENTRIES:
        mistakes.append(Mistake(file, table, f"{len(given)} entries", f"at most {MOST_ENTRIES}"))
        return
    rules = TABLES[table]
    for number, entry in enumerate(given, 1):
        at, before = f"{table}[{number}]", len(mistakes)
        mistakes += [unknown_key(file, key, rules, f"{at}.") for key in entry if key not in rules]
        for key, (check, expected, required) in rules.items():
            if key not in entry:
                if required:
                    mistakes.append(Mistake(file, f"{at}.{key}", "nothing", expected))
            elif not check(entry[key]):
                mistakes.append(Mistake(file, f"{at}.{key}", show_value(entry[key]), expected))
        if len(mistakes) == before:
            yield at, entry


def _key(file: str, at: str, entry: dict[str, Any], read_key: ReadKey, mistakes: list[Mistake]) -> TrustedKey | None:
    try:
        public = read_key(entry["key"])
    except KeyUnusable as error:
        mistakes.append(Mistake(file, f"{at}.key", str(error), KEY_RULES["key"][1]))
        return None
    scope = KeyScope(
        modules=tuple(entry.get("modules", EVERYTHING)),
        tenants=tuple(entry.get("tenants", EVERYTHING)),
        channels=tuple(entry.get("channels", EVERYTHING)),
        may_index=entry.get("may_index", False),
        not_after=entry.get("not_after"),
        may_rules=entry.get("may_rules", False),
    )
    return TrustedKey(public, scope, entry.get("name", ""))


def _refuse_repeated(file: str, keys: list[TrustedKey], mistakes: list[Mistake]) -> None:
    for what, found in (("key", [key.public.name for key in keys]), ("name", [key.label for key in keys if key.label])):
        for value in dict.fromkeys(found):
            if found.count(value) > 1:
                mistakes.append(Mistake(file, what, f"{value} in {found.count(value)} entries", "each only once"))


def _rule(
    file: str, at: str, entry: dict[str, Any], keys: list[TrustedKey], mistakes: list[Mistake]
) -> SignatureRule | None:
    named = entry.get("keys")
    ids: frozenset[bytes] | None = None
    count = len(keys)
    if named is not None:
        known = {name: key.public.id for key in keys for name in (key.label, key.public.name) if name}
        if unknown := [name for name in named if _known_name(name) not in known and name not in known]:
            found = f"{', '.join(unknown)}: not in this file"
            mistakes.append(Mistake(file, f"{at}.keys", found, SCOPE_RULES["keys"][1]))
            return None
        ids = frozenset(known[name] if name in known else known[_known_name(name)] for name in named)
        count = len(ids)
    if count < entry["signatures"]:
        mistakes.append(
            Mistake(file, f"{at}.signatures", str(entry["signatures"]), f"at most {count}, as many as keys")
        )
        return None
    return SignatureRule(tuple(entry["modules"]), entry["signatures"], ids)


def _known_name(name: str) -> str:
    """The id of a key may be written in lower case."""
    return name.upper() if KEY_ID.fullmatch(name) else name
