"""Secrets and proxies of a local run, from a TOML file of the author.

[secrets]
shop_login = "correct-horse"

[proxies.residential-de]
upstreams = ["http://proxy.example:3128"]
"""

import asyncio
import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pageworker_sandbox.wire.messages import SECRET_NAME
from pageworker_supervisor.config.check import Checker
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.config.layers import Layer, combine
from pageworker_supervisor.config.load import MAX_FILE_BYTES, parse_text
from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.rules import broken_rules
from pageworker_supervisor.config.secret_settings import EnvironmentSecretSettings, SecretGrantSettings
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.upstream_url import UpstreamUrlInvalid, parse_upstream
from pageworker_supervisor.secrets.backend import FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing
from pageworker_supervisor.secrets.secret_file import FOREIGN_READERS
from pageworker_supervisor.secrets.secret_text import value_of

SECRETS, PROXIES = "secrets", "proxies"


class SecretFileUnusable(Exception):
    """The file cannot be read, or other users can read it. `mend` says how to fix it."""

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message)
        self.mend = mend


class GivenSecrets:
    """A backend with values that are at hand. Every tenant has the same."""

    def __init__(self, value_of_name: Callable[[str], str | None]) -> None:
        """`value_of_name` returns None for a name that has no value."""
        self._value_of_name = value_of_name

    async def fetch(self, ref: SecretRef) -> FetchedSecret:
        """See SecretBackend."""
        value = self._value_of_name(ref.name)
        if value is None:
            raise SecretMissing(f"the file of secrets has no {ref.name}")
        value = value_of(ref, value)
        version = hashlib.blake2b(value.encode(), digest_size=4).hexdigest()
        return FetchedSecret(value=value, version=version, lease_seconds=0.0)

    async def run(self) -> None:
        """There is no login to keep."""
        await asyncio.Event().wait()


def read_values(path: Path) -> dict[str, str]:
    """The secrets of the file, by name. Raises SecretFileUnusable, ConfigInvalid."""
    tree, problems = _read(path)
    if problems:
        raise ConfigInvalid(tuple(problems))
    values: dict[str, str] = tree.get(SECRETS, {})
    return values


def with_file(settings: Settings, path: Path) -> Settings:
    """The settings with the proxies of the file. Every job of every module may have every secret of the file, if
    `secrets` in its module.toml names it. Raises SecretFileUnusable, ConfigInvalid with every mistake of the file.
    """
    tree, problems = _read(path)
    checker = Checker(Settings, lambda _: str(path))
    proxies = checker.table(Settings, {PROXIES: tree.get(PROXIES, {})})
    layer = Layer("file", proxies, (), lambda _: str(path))
    given = combine((layer,)).proxies
    egress = replace(settings.egress, proxy_ports=(*settings.egress.proxy_ports, *sorted(_ports(given))))
    settings = with_every_grant(replace(settings, egress=egress, proxies={**settings.proxies, **given}))
    problems += [*checker.problems, *broken_rules(settings, lambda _: str(path))]
    if problems:
        raise ConfigInvalid(tuple(problems))
    return settings


def _ports(proxies: Mapping[str, ProxySettings]) -> set[int]:
    """The ports of the upstreams. On a worker, the operator permits each in `egress.proxy_ports`."""
    ports = set()
    for url in (url for policy in proxies.values() for url in policy.upstreams):
        with suppress(UpstreamUrlInvalid):  # the rules report it
            ports.add(parse_upstream(url).port)
    return ports


def with_every_grant(settings: Settings) -> Settings:
    """The settings with a grant of every secret to every tenant and module."""
    grants = {"*": SecretGrantSettings(tenants=("*",), modules=("*",))}
    # GivenSecrets is used in place of this backend. It is the one that needs the fewest settings.
    variables = EnvironmentSecretSettings(allow=True)
    secrets = replace(settings.secrets, backend="environment", environment=variables, grants=grants)
    return replace(settings, secrets=secrets)


def _read(path: Path) -> tuple[dict[str, Any], list[ConfigProblem]]:
    text, problems = _private_text(path), list[ConfigProblem]()
    tree, lines = parse_text(path, text, problems)

    def problem(key: tuple[str, ...], found: str, expected: str) -> None:
        problems.append(ConfigProblem(f"{path}:{lines.get(key, 1)}", ".".join(key), found, expected))

    for name, table in tree.items():
        if name not in (SECRETS, PROXIES) or not isinstance(table, Mapping):
            problem((name,), "an unknown key", "the tables [secrets] and [proxies.NAME]")
    secrets = tree.get(SECRETS, {})
    for name, value in secrets.items() if isinstance(secrets, Mapping) else ():
        if not re.fullmatch(SECRET_NAME, name):
            problem((SECRETS, name), "an invalid name", "a name of a secret, such as shop_login")
        elif not isinstance(value, str) or not value:
            problem((SECRETS, name), f"a value of type {type(value).__name__}", "a text that is not empty")
    return {name: table for name, table in tree.items() if isinstance(table, Mapping)}, problems


def _private_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SecretFileUnusable(f"{path}: {error.strerror}", "Name a TOML file with a table [secrets].") from error
    if mode & FOREIGN_READERS:
        raise SecretFileUnusable(
            f"{path} has mode {stat.S_IMODE(mode):04o}, so other users can read the secrets", f"Run `chmod 600 {path}`."
        )
    try:
        return data[:MAX_FILE_BYTES].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SecretFileUnusable(f"{path}: not UTF-8 at byte {error.start}", "Save the file as UTF-8.") from error
