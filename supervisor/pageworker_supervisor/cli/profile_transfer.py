"""`workerctl profile export|import`: the data of a profile as a file."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

from cyclopts import Parameter

from pageworker_profiles.errors import ProfileError
from pageworker_profiles.exports import OpenedExport, ProfileExport, check_export
from pageworker_supervisor.cli.audited import Reason
from pageworker_supervisor.cli.connect import Config
from pageworker_supervisor.cli.held_profile import Wait, changing, living_here
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, note, show
from pageworker_supervisor.cli.profile_name import ProfileName, profile_named
from pageworker_supervisor.cli.profile_rows import Change, ProfileChange
from pageworker_supervisor.cli.profile_state import export_state, import_state
from pageworker_supervisor.contract.printable import printable

_CHECKPOINT_LEFT_OUT = (
    "{profile} has a checkpoint, because its last browser was killed or a storage state was imported. The file does not"
    " hold it, and it may have newer logins. `workerctl profile export {profile} --storage-state FILE` writes it."
)

StorageStateFile = Annotated[Path | None, Parameter(name="--storage-state", show_default=False)]


def export_profile(
    name: str,
    file: Path | None = None,
    *,
    storage_state: StorageStateFile = None,
    snapshot: str | None = None,
    wait: Wait = 0.0,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Write the data of one profile into a new file that only you can read: cookies and logins, without caches.

    It is not encrypted, and a tar program can list it. A profile that is open is refused with the name of its holder
    (exit code 4), as is a file that exists. The exit code is 1 if there is no such profile or snapshot.

    With --storage-state, the last checkpoint of the profile is written as JSON for Playwright: of a profile that is
    open, or whose browser was killed. The exit code is 1 if there is none.

    Example: `workerctl profile export acme/main main.tar --reason "moves to the other fleet"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    file
        The new file.
    storage_state
        The new file for cookies and storage, in place of FILE.
    snapshot
        A snapshot, or a folder in quarantine, as `workerctl profile show` lists them. Default: the newest state.
    """
    profile = profile_named(name)
    _check_files(file, storage_state, snapshot, "--snapshot")
    if storage_state is not None:
        with _file_errors(storage_state):
            size = asyncio.run(export_state(profile, storage_state, reason, config))
        _report(profile, "exported", storage_state, None, f"{profile} is in {storage_state}: {size} bytes", json)
        return

    async def act(file: Path) -> ProfileExport:
        detail: dict[str, str | int] = {} if snapshot is None else {"snapshot": snapshot}
        async with changing(profile, "profile export", reason, config, detail, wait) as held:
            await held.refuse_elsewhere()
            with _file_errors(file):
                head = await held.once_closed(lambda: held.place.export(profile, file, snapshot))
            if head is None:
                raise held.nowhere
            held.action.outcome = f"{head.bytes} bytes, sha256 {head.sha256}"
            if snapshot is None and await held.place.checkpoint(profile) is not None:
                note(_CHECKPOINT_LEFT_OUT.format(profile=printable(profile)))
            return head

    if file is not None:
        head = asyncio.run(act(file))
        _report(profile, "exported", file, snapshot, f"{profile} is in {file}: {head.bytes} bytes", json)


def import_profile(
    name: str,
    file: Path | None = None,
    *,
    storage_state: StorageStateFile = None,
    source: Annotated[str | None, Parameter(name="--from", show_default=False)] = None,
    wait: Wait = 0.0,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Replace the data of one profile by that of a file of `workerctl profile export`, or begin the profile with it.

    The data from before is kept: as older snapshots, or in `aside/`. A file that was changed, is too large, or is of
    another profile is refused, and nothing is changed. A profile that is open is refused with the name of its holder
    (exit code 4), as is one that lives elsewhere.

    With --storage-state, the next browser gets the cookies and the storage of a JSON file of Playwright, e.g. of a
    login on a laptop: its cookies replace those of the profile, and all other data stays.

    Example: `workerctl profile import acme/main main.tar --reason "moved from the other fleet"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    file
        The file of the export.
    storage_state
        The file of `context.storage_state(path=…)`, in place of FILE.
    source
        Profile that the file must be of. Default: NAME.
    """
    profile = profile_named(name)
    _check_files(file, storage_state, source, "--from")
    if storage_state is not None:
        with _file_errors(storage_state):
            holds = asyncio.run(import_state(profile, storage_state, wait, reason, config))
        text = f"the next browser of {profile} gets {holds}"
        _report(profile, "imported", storage_state, None, text, json)
        return
    expected = profile if source is None else profile_named(source)

    async def act(opened: OpenedExport) -> str | None:
        detail: dict[str, str | int] = {"sha256": opened.head.sha256}
        if expected != profile:
            detail["from"] = str(expected)
        async with changing(profile, "profile import", reason, config, detail, wait) as held:
            await held.refuse_elsewhere()
            why = reason or "replaced by an import"
            async with living_here(held, profile, stored=True):
                changed = await held.once_closed(lambda: held.place.import_(profile, opened, why, held.fence))
            await held.forget_login(profile)
            return changed

    if file is not None:
        with _file_errors(file), file.open("rb") as content:
            changed = asyncio.run(act(_checked(content, file, expected)))
        _report(profile, "imported", file, changed, f"the next opening of {profile} takes the data of {file}", json)


def _check_files(file: Path | None, storage_state: Path | None, other: str | None, option: str) -> None:
    if (file is None) == (storage_state is None):
        raise CommandError("give FILE or --storage-state", "See --help for an example.", CommandExit.USAGE)
    if storage_state is not None and other is not None:
        raise CommandError(f"{option} does not go with --storage-state", exit_code=CommandExit.USAGE)


@contextmanager
def _file_errors(file: Path) -> Iterator[None]:
    """Turn errors of the file that the user named into CommandErrors."""
    try:
        yield
    except FileExistsError as error:
        raise CommandError(printable(f"{file} already exists"), "Name a new file.", CommandExit.REFUSED) from error
    except OSError as error:
        raise CommandError(printable(f"{file}: {error.strerror or error}")) from error


def _report(profile: ProfileName, change: Change, file: Path, snapshot: str | None, text: str, json: bool) -> None:
    report = ProfileChange(
        tenant_id=profile.tenant_id,
        profile_id=profile.profile_id,
        change=change,
        snapshot=snapshot,
        file=str(file.absolute()),
    )
    show(report, printable(text), json)


def _checked(content: IO[bytes], file: Path, expected: ProfileName) -> OpenedExport:
    try:
        opened = check_export(content, str(file))
    except ProfileError as error:
        raise CommandError(printable(error)) from error
    found = ProfileName(opened.head.tenant_id, opened.head.profile_id)
    if found != expected:
        raise CommandError(
            printable(f"{file} is of profile {found}, not of {expected}"),
            printable(f"If {found} is meant, add `--from {found}`."),
            CommandExit.REFUSED,
        )
    return opened
