"""Rules of `[secrets]` that types cannot express: each backend has what it needs, globs are valid."""

import re
from collections.abc import Iterator
from pathlib import Path

from pageworker_supervisor.config.secret_settings import SecretSettings, VaultSecretSettings
from pageworker_supervisor.config.value_checks import RuleFinding, unreadable, url_findings

NAME_GLOB = re.compile(r"[a-z0-9_*?]{1,63}")
TENANT_GLOB = re.compile(r"[a-z0-9*?-]{1,63}")
MODULE_GLOB = re.compile(r"[a-z0-9_.*?]{1,100}")


def secret_settings_findings(secrets: SecretSettings) -> Iterator[RuleFinding]:
    """Problems of the backend in use, and of the grants."""
    at = ("secrets", secrets.backend or "")
    match secrets.backend:
        case "files":
            yield from _folder((*at, "folder"), secrets.files.folder)
        case "systemd" if secrets.systemd.folder is not None:
            yield from _folder((*at, "folder"), secrets.systemd.folder)
        case "environment" if not secrets.environment.allow:
            hint = "every process of the worker's user can read its variables: use `files` in production"
            yield ("secrets", "backend"), "environment", "`secrets.environment.allow = true` for development", hint
        case "vault":
            yield from _vault(secrets.vault)
        case "aws" if secrets.aws.endpoint_url is not None:
            yield from url_findings((*at, "endpoint_url"), secrets.aws.endpoint_url, ("http", "https"))
    if secrets.grants and secrets.backend is None:
        yield ("secrets", "grants"), "no secrets.backend", "`secrets.backend` to be set too", ""
    for name, grant in secrets.grants.items():
        where = ("secrets", "grants", name)
        if not NAME_GLOB.fullmatch(name):
            yield where, name, "a secret's name or a glob of names: 1-63 of a-z0-9_, * and ?", ""
        for field, globs, pattern, expected in (
            ("tenants", grant.tenants, TENANT_GLOB, "tenants or globs of tenants: 1-63 of a-z0-9-, * and ?"),
            ("modules", grant.modules, MODULE_GLOB, "module names or globs of them, e.g. shop.*"),
        ):
            if not globs:
                yield (*where, field), "nothing", f"at least one entry: {expected}", 'write ["*"] to allow all'
            for glob in globs:
                if not pattern.fullmatch(glob):
                    yield (*where, field), glob, expected, ""


def _folder(at: tuple[str, ...], folder: Path | None) -> Iterator[RuleFinding]:
    if folder is None:
        yield at, "nothing", "the folder that holds the secrets", ""
    elif not folder.is_dir():
        yield at, f"{folder}: no such folder", "a folder that exists", ""


def _vault(vault: VaultSecretSettings) -> Iterator[RuleFinding]:
    at = ("secrets", "vault")
    if vault.url is None:
        yield (*at, "url"), "nothing", "the address of Vault, e.g. https://vault.example:8200", ""
    else:
        yield from url_findings((*at, "url"), vault.url, ("http", "https"))
    needed = {"token": ("token_file",), "approle": ("role_id", "secret_id_file"), "kubernetes": ("role",)}
    for name in needed[vault.auth]:
        if getattr(vault, name) is None:
            yield (*at, name), "nothing", f'a value, because `auth` is "{vault.auth}"', ""
    if vault.ca_file is not None and (why := unreadable(vault.ca_file)):
        yield (*at, "ca_file"), f"{vault.ca_file}: {why}", "a readable PEM file", ""
