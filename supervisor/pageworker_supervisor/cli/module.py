"""`workerctl module`: from an author's folder to a registry. `run`, `dev` and `test` are imported when they are
called: they are large."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pageworker_sandbox.signing import LIMITS, check_authority, read_bundle, sign, verify, verify_provenance
from pageworker_supervisor.cli import publishing, rollout
from pageworker_supervisor.cli.answers import (
    PackedAnswer,
    ProvenanceAnswer,
    SignedAnswer,
    SignerAnswer,
    VerifiedAnswer,
)
from pageworker_supervisor.cli.bundle_file import (
    next_signature,
    provenance_of,
    read_limited,
    read_provenance,
    read_signed,
    signature_of,
    signatures_of,
    write_provenance,
)
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.external_signer import SignerCommand, open_signer
from pageworker_supervisor.cli.fleet_serial import fleet_serial
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, put, show
from pageworker_supervisor.cli.password import PasswordFile
from pageworker_supervisor.cli.registry_access import KeyFile, registry_errors, trusted_by
from pageworker_supervisor.cli.reproduce import reproduce
from pageworker_supervisor.cli.yank import yank_version
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.input_schema.input_checks import check_schemas
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.registry.scaffold import scaffold

app = App(name="module", help="Write, run, pack, sign, verify and publish modules.")


@app.command
def new(name: str, *, folder: Annotated[Path, Parameter(name=("--dir", "-d"))] = Path()) -> None:
    """Create a folder NAME with a small module that works, its schemas and a test.

    Example: `workerctl module new acme.prices`.

    Parameters
    ----------
    name
        Name of the module: dotted, lower case.
    folder
        Folder in which to create it. Default: the current folder.
    """
    with registry_errors():
        put("\n".join(printable(path) for path in scaffold(name, folder)))


@app.command(name="pack")
def pack_folder(
    folder: Path,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))] = Path(),
    wheels: Path | None = None,
    json: Json = False,
) -> None:
    """Pack the folder of a module into a bundle, NAME-VERSION.zip. The same sources always give the same bytes.

    Example: `workerctl module pack acme.prices`.

    Parameters
    ----------
    folder
        Folder with a module.toml.
    output
        Folder or file to write to. Default: the current folder.
    wheels
        Folder with the wheels that requirements.lock names. Default: pip fetches them once, to .pageworker/wheels in
        the module's folder.
    """
    with registry_errors():
        bundle = pack(folder, wheels)
        path = output / bundle.manifest.bundle_file if output.is_dir() else output
        path.write_bytes(bundle.data)
    facts = PackedAnswer(str(path), bundle.name, bundle.version, bundle.sha256)
    show(facts, f"{path}  sha256 {bundle.sha256}", json)


@app.command(name="sign")
def sign_bundle(
    bundle: Path,
    *,
    key: KeyFile,
    password_file: PasswordFile = None,
    signer: SignerCommand = None,
    more: Annotated[
        bool,
        Parameter(
            negative=(),
            help="Keep the signatures that are there, and write the next one: BUNDLE.minisig.1 and so on.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write BUNDLE.minisig, a signature of the name, version and SHA-256 of the bundle.

    The command also writes BUNDLE.intoto.json, which says what the bundle was built of, by what and when, and signs it.
    `workerctl module publish --sign` signs and publishes in one step. Example: `workerctl module sign
    acme.prices-0.1.0.zip --key release.key`.

    Parameters
    ----------
    bundle
        Bundle file, as `workerctl module pack` writes it.
    """
    with registry_errors():
        packed = read_bundle(read_limited(bundle, LIMITS.bundle_bytes))
        secret = open_signer(key, password_file, signer)
        path = next_signature(bundle, secret.public) if more else signature_of(bundle)
        path.write_bytes(sign(packed, secret))
        if not more:
            for stale in signatures_of(bundle)[1:]:
                stale.unlink()
            write_provenance(bundle, packed, secret)
    facts = SignedAnswer(str(path), packed.name, packed.version, secret.public.name)
    show(facts, f"{path}  {packed.name} {packed.version} signed with key {secret.public.name}", json)


@app.command(name="verify")
def verify_bundle(
    bundle: Path,
    *,
    trusted: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--trusted", "-t", "--key", "-k"),
            negative=(),
            show_default=False,
            help="Trusted public key, not a secret one: a .pub file or its line. Repeat the option for more keys. "
            "Default: `modules.trusted_keys` and `modules.trust`.",
        ),
    ] = (),
    require_provenance: Annotated[bool, Parameter(negative=())] = False,
    config: Config = None,
    json: Json = False,
) -> None:
    """Check a bundle and its signature as a worker does. The exit code is 4 if a worker would refuse it.

    If BUNDLE.intoto.json is there, the command checks it too: its signature, and that it is about this bundle and its
    sources. It needs no network.

    Example: `workerctl module verify acme.prices-0.1.0.zip --trusted release.pub`.

    Parameters
    ----------
    bundle
        Bundle file. Its signature is BUNDLE.minisig beside it.
    require_provenance
        Refuse a bundle without BUNDLE.intoto.json.
    """
    with registry_errors():
        trust = trusted_by(trusted, config)
        verified = verify(read_signed(bundle), trust)
        signers = check_authority(verified.signed, trust)
        check_schemas(verified)
        untrusted = read_provenance(bundle)
        provenance = None if untrusted is None else verify_provenance(untrusted, verified, trust)
    if provenance is None and require_provenance:
        raise CommandError(
            f"{bundle} has no provenance: there is no {provenance_of(bundle).name}",
            "Sign it with `workerctl module sign`, which writes it.",
            CommandExit.REFUSED,
        )
    expected = verified.manifest.bundle_file
    if bundle.name != expected:
        note(f"Warning: the file is named {bundle.name}. In a registry its name is {expected}.")
    description = verified.manifest.description
    expires = verified.manifest.expires
    by = tuple(SignerAnswer.of(key) for key in signers)
    answer = None if provenance is None else ProvenanceAnswer(**vars(provenance))
    facts = VerifiedAnswer(verified.name, verified.version, verified.sha256, description, by, expires, answer)
    told = [f"verified: {verified.name} {verified.version}  sha256 {verified.sha256}"]
    if answer is not None:
        built = f"{answer.built_at:%Y-%m-%d %H:%M} UTC by {printable(answer.builder)}"
        told.append(f"built: {built}, of sources {answer.sources_sha256}, says key {answer.key}")
    told += [printable(description)] if description else []
    told += [f"signed with key {key.name}: {key.scope.text(tenants=True)}" for key in signers]
    told += [f"expires {expires:%Y-%m-%dT%H:%M:%S%z}"] if expires else []
    show(facts, "\n".join(told), json)


app.command(
    "pageworker_supervisor.cli.module_run:run_folder",
    name="run",
    help="Run the module in a folder once, without Redis.",
)
app.command(
    "pageworker_supervisor.cli.module_dev:develop",
    name="dev",
    help="Run the module in a folder on each save, without Redis.",
)
app.command(
    "pageworker_supervisor.cli.module_lint:lint_folder",
    name="lint",
    help="Check the folder of a module: imports, schemas, timeout, hosts, deprecated names.",
)
app.command(
    "pageworker_supervisor.cli.module_tests:run_tests",
    name="test",
    help="Run the tests of modules, without Redis and without a network.",
)
app.command(reproduce)
app.command(publishing.publish)
app.command(
    "pageworker_supervisor.cli.module_diff:diff",
    name="diff",
    help="Show what differs between two versions of a module: keys, schemas, files.",
)
app.command(publishing.list_modules, name="list")
app.command(publishing.channels)
app.command(yank_version, name="yank")
app.command(publishing.refresh_index)
app.command(fleet_serial, name="serial")
app.command(rollout.rollout)
app.command(rollout.promote)
app.command(rollout.rollback)
app.command(rollout.status)
