"""`workerctl module`: from an author's folder to a registry."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from pageworker_sandbox.signing import LIMITS, read_bundle, sign, verify
from pageworker_supervisor.cli import publishing
from pageworker_supervisor.cli.fleet_serial import fleet_serial
from pageworker_supervisor.cli.output import Json, note, put, show
from pageworker_supervisor.cli.password import PasswordFile, open_key
from pageworker_supervisor.cli.publishing import ConfigFile, KeyFile, configured, read_file, signature_of, signed, told
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.registry.scaffold import scaffold
from pageworker_supervisor.registry.schema import InputSchema
from pageworker_supervisor.registry.trust import load_trust

app = App(name="module", help="Write, pack, sign, verify and publish modules.")


@app.command
def new(name: str, *, folder: Annotated[Path, Parameter(name=("--dir", "-d"))] = Path()) -> None:
    """Make a folder NAME with a module that works already.

    Parameters
    ----------
    name
        Dotted, lower case: `acme.prices`.
    folder
        Where to make it.
    """
    with told():
        put("\n".join(printable(path) for path in scaffold(name, folder)))


@app.command(name="pack")
def pack_folder(
    folder: Path, *, output: Annotated[Path, Parameter(name=("--output", "-o"))] = Path(), json: Json = False
) -> None:
    """Pack a module's folder into NAME-VERSION.zip: the same sources give the same bytes.

    Parameters
    ----------
    folder
        Folder with a module.toml.
    output
        Folder or file to write.
    """
    with told():
        bundle = pack(folder)
        path = output / bundle.manifest.bundle_file if output.is_dir() else output
        path.write_bytes(bundle.data)
    facts = {"file": str(path), "name": bundle.name, "version": bundle.version, "sha256": bundle.sha256}
    show(facts, f"{path}  sha256 {bundle.sha256}", json)


@app.command(name="sign")
def sign_bundle(bundle: Path, *, key: KeyFile, password_file: PasswordFile = None, json: Json = False) -> None:
    """Write BUNDLE.minisig, a signature bound to the bundle's name, version and SHA-256."""
    with told():
        packed = read_bundle(read_file(bundle, LIMITS.bundle_bytes))
        secret = open_key(key, password_file)
        path = signature_of(bundle)
        path.write_bytes(sign(packed, secret))
    facts = {"file": str(path), "name": packed.name, "version": packed.version, "key": secret.public.name}
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
            help="Public key to believe: a .pub file or its line; repeat it for more. Default: as configured.",
        ),
    ] = (),
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Check BUNDLE against BUNDLE.minisig, as a worker does. Exit code 4 where a worker would refuse it."""
    with told():
        trust = load_trust(trusted or configured(config).modules.trusted_keys)
        verified = verify(signed(bundle), trust)
        InputSchema(verified.input_schema)
    expected = verified.manifest.bundle_file
    if bundle.name != expected:
        note(f"warning: the file is called {bundle.name}; in a registry it is {expected}")
    facts = {"name": verified.name, "version": verified.version, "sha256": verified.sha256}
    show(facts, f"good: {verified.name} {verified.version}  sha256 {verified.sha256}", json)


app.command(publishing.publish)
app.command(publishing.list_modules, name="list")
app.command(publishing.channels)
app.command(publishing.yank_version, name="yank")
app.command(publishing.refresh_index)
app.command(fleet_serial, name="serial")
