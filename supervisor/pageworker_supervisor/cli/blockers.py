"""`workerctl blockers`: blocker rules of one's own. They are shown, signed and checked."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pageworker_sandbox.blockers.rules import MAX_FILE_BYTES, released_rules
from pageworker_sandbox.signing.blocker_rules import UntrustedRules, renewed_rules, sign_rules, verify_rules
from pageworker_sandbox.signing.keys import key_name
from pageworker_sandbox.signing.limits import MAX_SIGNATURE_BYTES
from pageworker_supervisor.cli.answers import SignedRulesAnswer
from pageworker_supervisor.cli.bundle_file import read_limited, signature_of
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.external_signer import SignerCommand, open_signer
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, put, show
from pageworker_supervisor.cli.password import PasswordFile
from pageworker_supervisor.cli.registry_access import KeyFile, registry_errors, trusted_by
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.registry.registry import utc_now

app = App(name="blockers", help="Show, sign and check blocker rules of your own.")


@app.command
def rules() -> None:
    """Print the blocker rules of this release as JSON: what rules of your own may begin with.

    Example: `workerctl blockers rules`.
    """
    put(released_rules().decode().rstrip())


@app.command
def sign(
    file: Path,
    *,
    key: KeyFile,
    days: Annotated[float, Parameter(validator=lambda _, value: _positive(value))] = 90.0,
    password_file: PasswordFile = None,
    signer: SignerCommand = None,
    json: Json = False,
) -> None:
    """Check a file of blocker rules, set its `serial` and its `expires`, and write its signature, FILE.minisig.

    Workers whose setting `blockers.rules` names the file use it within seconds. Write both files to the place that they
    read only after this command. Example: `workerctl blockers sign rules.json --key release.key`.

    Parameters
    ----------
    file
        File of rules (docs/blockers.md). It is written anew.
    days
        Days until the file expires. Workers do not accept an expired file.
    """
    with registry_errors():
        now = utc_now()
        data = renewed_rules(read_limited(file, MAX_FILE_BYTES), now, now + timedelta(days=days))
        secret = open_signer(key, password_file, signer)
        signature = sign_rules(data, secret)
        file.write_bytes(data)
        signature_of(file).write_bytes(signature)
        answer = _answer(file, UntrustedRules(data, signature), secret.public.name, (secret.public.line(),), None)
    show(answer, f"{signature_of(file)}  {_told(answer)}", json)


@app.command
def verify(
    file: Path,
    *,
    trusted: Annotated[tuple[str, ...], Parameter(name=("--trusted", "-t"), negative=(), show_default=False)] = (),
    config: Config = None,
    json: Json = False,
) -> None:
    """Check a file of blocker rules and its signature as a worker does. The exit code is 4 if a worker would refuse it.

    A worker also refuses a file whose serial is lower than one that it has accepted before. Example: `workerctl
    blockers verify rules.json --trusted release.pub`.

    Parameters
    ----------
    file
        File of rules. Its signature is FILE.minisig beside it.
    trusted
        Trusted public key: a .pub file or its line. Repeat the option for more keys. Default: `modules.trusted_keys`
        and `modules.trust`.
    """
    if not signature_of(file).is_file():
        raise CommandError(
            f"{file} is not signed: there is no {signature_of(file).name}",
            "Sign it with `workerctl blockers sign`.",
            CommandExit.REFUSED,
        )
    with registry_errors():
        untrusted = UntrustedRules(
            read_limited(file, MAX_FILE_BYTES), read_limited(signature_of(file), MAX_SIGNATURE_BYTES)
        )
        answer = _answer(file, untrusted, "", trusted, config)
    show(answer, f"verified: {_told(answer)}", json)


def _answer(
    file: Path, untrusted: UntrustedRules, key: str, trusted: tuple[str, ...], config: Path | None
) -> SignedRulesAnswer:
    """Raises Untrusted, KeyUnusable, ConfigInvalid."""
    verified = verify_rules(untrusted, trusted_by(trusted, config), utc_now())
    found = verified.rules
    name = key or key_name(verified.key_id)
    return SignedRulesAnswer(str(file), found.version, found.serial, verified.expires, len(found.rules), name)


def _told(answer: SignedRulesAnswer) -> str:
    return (
        f"rules {printable(answer.version)}, serial {answer.serial}, {answer.rules} rules, "
        f"signed with key {answer.key}, expires {answer.expires:%Y-%m-%dT%H:%M:%SZ}"
    )


def _positive(value: float) -> None:
    if not 0 < value <= 36_500:
        raise ValueError("Name a number of days above 0, and at most 36500.")
