"""`workerctl key trusted` and `key revoke`: the keys that a worker trusts, and what each may sign."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from pageworker_sandbox.signing import Revocation, TrustedKey, TrustStore
from pageworker_sandbox.signing.keys import key_name
from pageworker_sandbox.signing.trust_file import KEY_ID, key_id_of
from pageworker_supervisor.cli.answers import RevokedAnswer, TrustedKeyAnswer
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show, table
from pageworker_supervisor.cli.publishing_record import recorded
from pageworker_supervisor.cli.registry_access import configured, registry_errors, trusted_by
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.registry.trust import read_trust_file
from pageworker_supervisor.registry.trust_edit import revoke

KeyState = Literal["valid", "expired", "revoked"]


def list_trusted(*, config: Config = None, json: Json = False) -> None:
    """List the keys that a worker trusts, with what each may sign, and the keys that are revoked.

    They come from `modules.trusted_keys` and from the file of `modules.trust`. Example: `workerctl key trusted --config
    pageworker.toml`.
    """
    with registry_errors():
        trust = trusted_by((), config)
    now = datetime.now(UTC)
    answers = [_answer(key, trust, now) for key in trust.trusted]
    known = {key.public.id for key in trust.trusted}
    answers += [_unknown(key_id, revoked) for key_id, revoked in trust.revoked.items() if key_id not in known]
    head = ("ID", "NAME", "STATE", "MODULES", "TENANTS", "CHANNELS", "INDEX", "RULES", "UNTIL", "WHY")
    rows = [
        (
            one.key,
            one.label or "-",
            one.state,
            ", ".join(one.modules) or "-",
            ", ".join(one.tenants) or "-",
            ", ".join(one.channels) or "-",
            "yes" if one.may_index else "no",
            "yes" if one.may_rules else "no",
            f"{one.not_after:%Y-%m-%d}" if one.not_after else "-",
            printable(one.reason) or "-",
        )
        for one in answers
    ]
    show(answers, table(head, rows) if rows else "No key is trusted.", json)


async def revoke_key(
    key: str,
    *,
    reason: Annotated[str, Parameter(name="--reason")],
    file: Annotated[Path | None, Parameter(name=("--file", "-f"), show_default=False)] = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Revoke a key: add it to the trust file, so that none of its signatures counts any more, whatever their date.

    Run it on the host of each worker, or copy the file. A running worker follows within 2 s, and refuses the modules
    and the index that only this key has signed. The exit code is 4 if the key is revoked already, and 3 if the audit
    log is in a Redis that does not answer: then add the entry to the file by hand (docs/modules.md).

    Example: `workerctl key revoke 8A2F6D0C51E7B394 --reason stolen --config pageworker.toml`.

    Parameters
    ----------
    key
        ID of the key: 16 hex digits, as `workerctl key trusted` prints it.
    reason
        Why, for people: one line.
    file
        Trust file. Default: that of `modules.trust`.
    """
    if not KEY_ID.fullmatch(key):
        raise CommandError(f"{key!r} is not the id of a key", "Use the 16 hex digits of its ID.", CommandExit.USAGE)
    key_id = key_id_of(key)
    with registry_errors():
        settings = configured(config)
        target = file or settings.modules.trust
        if target is None:
            raise CommandError("no trust file is configured", "Set `modules.trust`, or name the file with --file.")
        at = datetime.now(UTC).replace(microsecond=0)
        if any(known == key_id for known, _ in read_trust_file(target).revoked):
            raise CommandError(f"key {key_name(key_id)} is revoked already", exit_code=CommandExit.REFUSED)
        where = {"file": str(target.absolute())}
        async with recorded(settings, "key revoke", key_name(key_id), reason, where, kind="operator"):
            revoke(target, key_id, at, reason)
    facts = RevokedAnswer(key_name(key_id), str(target), at, reason)
    show(facts, f"revoked key {facts.key} in {target}", json)


def _answer(key: TrustedKey, trust: TrustStore, now: datetime) -> TrustedKeyAnswer:
    revoked, scope = trust.revoked.get(key.public.id), key.scope
    state: KeyState = "revoked" if revoked else "valid"
    if state == "valid" and scope.not_after is not None and now >= scope.not_after:
        state = "expired"
    return TrustedKeyAnswer(
        key=key.public.name,
        label=key.label,
        state=state,
        modules=scope.modules,
        tenants=scope.tenants,
        channels=scope.channels,
        may_index=scope.may_index,
        may_rules=scope.may_rules,
        not_after=scope.not_after,
        reason=revoked.reason if revoked else "",
    )


def _unknown(key_id: bytes, revoked: Revocation) -> TrustedKeyAnswer:
    """A key of which the store has only the id."""
    return TrustedKeyAnswer(key=key_name(key_id), state="revoked", reason=revoked.reason)
