"""`workerctl module reproduce`: packs a folder again, and says where the result differs from a bundle."""

from pathlib import Path

from pageworker_sandbox.signing import LIMITS, read_bundle
from pageworker_supervisor.cli.answers import ReproducedAnswer
from pageworker_supervisor.cli.bundle_file import read_limited
from pageworker_supervisor.cli.output import CommandExit, Json, show
from pageworker_supervisor.cli.registry_access import registry_errors
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.registry.bundle_difference import FileDifference, file_differences
from pageworker_supervisor.registry.packing import pack

CHANGES = {"added": "only in the folder", "removed": "only in the bundle", "changed": "differs"}
"""What became of a file from the bundle to the folder, for people."""


def reproduce(bundle: Path, folder: Path, *, wheels: Path | None = None, json: Json = False) -> CommandExit:
    """Pack a folder, and say where the result differs from a bundle. The exit code is 0 if both have the same bytes.

    So anyone with the sources can check what a bundle was built of. The signature of the bundle is not checked.

    Example: `workerctl module reproduce acme.prices-0.1.0.zip acme.prices`.

    Parameters
    ----------
    bundle
        Bundle file.
    folder
        Folder with a module.toml, of the same version.
    wheels
        Folder with the wheels that requirements.lock names. Default: pip fetches them.
    """
    with registry_errors():
        published = read_bundle(read_limited(bundle, LIMITS.bundle_bytes))
        rebuilt = pack(folder, wheels)
        found = file_differences(published.data, rebuilt.data)
    facts = ReproducedAnswer(published.data == rebuilt.data, published.sha256, rebuilt.sha256, found)
    if facts.identical:
        show(facts, f"identical: {published.name} {published.version}  sha256 {published.sha256}", json)
        return CommandExit.DONE
    lines = [line for difference in found for line in _told(difference)]
    show(facts, "\n".join([f"{printable(folder)} gives another bundle than {printable(bundle)}:", *lines]), json)
    return CommandExit.FAILED


def _told(difference: FileDifference) -> list[str]:
    if difference.line is None:
        return [f"  {difference.file}: {CHANGES[difference.change]}"]
    texts = (("bundle", difference.before), ("folder", difference.after))
    # `!r` shows line ends and blanks, which may be all that differs.
    shown = [f"    {name}: {'no such line' if text is None else repr(text)}" for name, text in texts]
    return [f"  {difference.file}:{difference.line}: {CHANGES[difference.change]}", *map(printable, shown)]
