"""`workerctl secrets`: whether the secrets that the configuration names can be had on this host. Prints no value."""

import asyncio
import os
from typing import Annotated

from cyclopts import App, Parameter
from msgspec.structs import replace

from pageworker_supervisor.artifacts.links import MIN_KEY_BYTES
from pageworker_supervisor.cli.answers import BackendAnswer, CheckedSecret, SecretsAnswer, SecretState
from pageworker_supervisor.cli.config_change import central_values
from pageworker_supervisor.cli.connect import ANSWER_SECONDS, Config, local_layers_of, valid
from pageworker_supervisor.cli.output import CommandExit, Json, show, table
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.cli.without_log import without_log
from pageworker_supervisor.config.central_document import EMPTY
from pageworker_supervisor.config.secret_settings import SecretSettings
from pageworker_supervisor.config.value_checks import HEADER_VALUES, MIN_SECRET_BYTES, is_header_value
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.proxies.login import LoginInvalid, parse_login
from pageworker_supervisor.secrets.backend import FLEET, BackendAccess, BackendLogin, SecretBackend, SecretRef
from pageworker_supervisor.secrets.errors import SecretBackendAway, SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.open_backend import open_backend
from pageworker_supervisor.secrets.secret_uses import SecretUse, secret_uses

NEVER_STORED = SecretRef(FLEET, "workerctl_check")
"""Asked for to see whether a backend without a login answers."""
NOT_ASKED = "not asked: the backend is away"
NOT_LOGGED_IN = "not asked: the backend refuses this host"

app = App(name="secrets", help="Check the secrets that the configuration names.")


@app.command
def check(
    *,
    tenant: Annotated[
        str | None,
        Parameter(help="Check the secrets of this tenant only, also where the configuration has a glob of tenants."),
    ] = None,
    config: Config = None,
    json: Json = False,
) -> CommandExit:
    """Check whether this host reaches the secret backend, and can read each secret that the configuration names.

    Prints no value. Run it as the user of the worker, with the worker's environment. No worker is needed. If Redis does
    not answer, what the central configuration names is not checked, and a note on stderr says so.

    Exit codes: 0 all can be read, 1 something is missing, refused or unusable, 2 usage, 3 the backend does not answer
    within 2 s.

    Example: `workerctl secrets check --config pageworker.toml`.
    """
    wanted = None if tenant is None else paused_name("tenant", tenant)
    local = local_layers_of(config)
    values = central_values(config, local)
    settings = valid(local, EMPTY if values is None else values)
    with without_log("pageworker_supervisor.secrets"):
        backend, found = asyncio.run(_check(settings.secrets, secret_uses(settings, wanted)))
    answer = SecretsAnswer(backend=backend, secrets=tuple(found), central_read=values is not None)
    show(answer, _text(answer), json)
    return _exit_of(answer)


async def _check(settings: SecretSettings, uses: list[SecretUse]) -> tuple[BackendAnswer, list[CheckedSecret]]:
    backend = open_backend(_impatient(settings), os.environ)
    answer = await _ask_backend(settings.backend, backend)
    found: list[CheckedSecret] = []
    for use in uses:
        checked = _not_asked(use, answer) or await _ask_secret(backend, use)
        if checked.state == "away" and answer.state == "ok":
            # The rest would wait for an answer as well.
            answer = replace(answer, state="away", reason=checked.reason)
        found.append(checked)
    return answer, found


def _impatient(settings: SecretSettings) -> SecretSettings:
    """A person waits for the answer."""
    return replace(
        settings,
        vault=replace(settings.vault, timeout_seconds=min(settings.vault.timeout_seconds, ANSWER_SECONDS)),
        aws=replace(settings.aws, timeout_seconds=min(settings.aws.timeout_seconds, ANSWER_SECONDS)),
    )


async def _ask_backend(kind: str | None, backend: SecretBackend) -> BackendAnswer:
    try:
        if isinstance(backend, BackendAccess):
            await backend.log_in()
        else:
            await backend.fetch(NEVER_STORED)
    except SecretMissing:
        pass  # it answers
    except SecretBackendAway as away:
        return BackendAnswer(kind=kind, state="away", reason=str(away))
    except SecretUnavailable as refused:
        return BackendAnswer(kind=kind, state="refused", reason=str(refused))
    ends = backend.login_ends_in() if isinstance(backend, BackendLogin) else None
    return BackendAnswer(kind=kind, state="ok", login_ends_in_seconds=None if ends is None else round(ends, 1))


def _not_asked(use: SecretUse, backend: BackendAnswer) -> CheckedSecret | None:
    if use.not_checked:
        return _answer(use, "not_checked", use.not_checked)
    if backend.state == "away":
        return _answer(use, "away", NOT_ASKED)
    return _answer(use, "refused", NOT_LOGGED_IN) if backend.state == "refused" else None


async def _ask_secret(backend: SecretBackend, use: SecretUse) -> CheckedSecret:
    try:
        secret = await backend.fetch(SecretRef(use.tenant_id, use.name))
    except SecretMissing as missing:
        return _answer(use, "missing", str(missing))
    except SecretBackendAway as away:
        return _answer(use, "away", str(away))
    except SecretUnavailable as refused:
        return _answer(use, "refused", str(refused))
    if problem := _problem(use, secret.value):
        return _answer(use, "unusable", problem)
    return _answer(use, "ok", lease_seconds=secret.lease_seconds or None)


def _problem(use: SecretUse, value: str) -> str:
    """Why the setting cannot use the value, without the value; empty: it can."""
    match use.kind:
        case "header" if not is_header_value(value):
            return f"no header value: store {HEADER_VALUES}"
        case "callback" if len(value.encode()) < MIN_SECRET_BYTES:
            return f"fewer than {MIN_SECRET_BYTES} bytes"
        case "link" if len(value.strip().encode()) < MIN_KEY_BYTES:
            return f"fewer than {MIN_KEY_BYTES} bytes"
        case "login":
            try:
                parse_login(value)
            except LoginInvalid as invalid:
                return str(invalid)
    return ""


def _answer(use: SecretUse, state: SecretState, reason: str = "", lease_seconds: float | None = None) -> CheckedSecret:
    return CheckedSecret(
        tenant_id=use.tenant_id,
        name=use.name,
        setting=use.setting,
        state=state,
        reason=reason,
        lease_seconds=lease_seconds,
    )


def _exit_of(answer: SecretsAnswer) -> CommandExit:
    if answer.backend.state == "away":
        return CommandExit.UNREACHABLE
    fine = answer.backend.state == "ok" and all(each.state in ("ok", "not_checked") for each in answer.secrets)
    return CommandExit.DONE if fine else CommandExit.FAILED


def _text(answer: SecretsAnswer) -> str:
    backend = answer.backend
    ends = backend.login_ends_in_seconds
    if backend.kind is None:
        words = "none (setting secrets.backend)"
    else:
        login = "" if ends is None else f", login ends in {ends:g} s"
        why = f": {backend.reason}" if backend.reason else ""
        words = f"{backend.kind}, {backend.state}{login}{why}"
    lines = [printable(f"Backend: {words}")]
    if not answer.secrets:
        return "\n".join((*lines, "The configuration names no secret."))
    rows = [
        (
            *(each.tenant_id, each.name, each.state.replace("_", " ")),
            *("-" if each.lease_seconds is None else f"{each.lease_seconds:g} s", each.setting, each.reason),
        )
        for each in answer.secrets
    ]
    return "\n".join((*lines, table(("TENANT", "SECRET", "STATE", "LEASE", "SETTING", "REASON"), rows)))
