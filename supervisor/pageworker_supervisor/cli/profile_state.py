"""`workerctl profile export|import --storage-state`: cookies and storage of a profile, in the form of Playwright."""

import time
from pathlib import Path

from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.exports import private_file
from pageworker_supervisor.cli.audited import audited
from pageworker_supervisor.cli.bundle_file import read_limited
from pageworker_supervisor.cli.connect import open_queue
from pageworker_supervisor.cli.held_profile import changing, living_here
from pageworker_supervisor.cli.output import CommandError
from pageworker_supervisor.cli.profile import elsewhere
from pageworker_supervisor.cli.profile_name import ProfileName
from pageworker_supervisor.cli.profile_places import ProfilePlace, place_of, profile_errors
from pageworker_supervisor.cli.storage_state import parse_storage_state
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.profile_locks import KnownProfile

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Of a storage state before its blanks are removed."""


async def export_state(profile: ProfileName, file: Path, reason: str | None, config: Path | None) -> int:
    """Write the checkpoint of a profile, which may be open, into a new file. Returns its bytes. Raises CommandError,
    FileExistsError, OSError."""
    async with (
        open_queue(config) as (_, queue, settings),
        audited(queue, settings, "profile export", str(profile), reason, {"storage_state": 1}) as action,
    ):
        with profile_errors():
            place = place_of(settings)
            (known,) = await queue.profile_locks.read(profile.tenant_id, [profile.profile_id])
            checkpoint = await place.checkpoint(profile)
            if checkpoint is None:
                raise await _without_checkpoint(profile, place, known)
        with private_file(file) as content:
            content.write(checkpoint.untrusted_data)
        action.outcome = f"{len(checkpoint.untrusted_data)} bytes"
        return len(checkpoint.untrusted_data)


async def _without_checkpoint(profile: ProfileName, place: ProfilePlace, known: KnownProfile) -> CommandError:
    """Why it has none. Raises ProfileError."""
    if known.worker:
        return CommandError(
            printable(f"{profile} is open on {known.worker}, and has no checkpoint in {place.label} yet"),
            "A worker takes the first one after profiles.checkpoint_seconds.",
        )
    if not await place.rows([profile], [known]):
        return CommandError(printable(f"{profile} is not in {place.label}"), printable(elsewhere(known)))
    return CommandError(
        printable(f"{profile} has no checkpoint in {place.label}: its last browser was closed normally"),
        printable(f"While it is open, a worker takes one (profiles.checkpoint_seconds). {elsewhere(known)}"),
    )


async def import_state(
    profile: ProfileName, file: Path, wait_seconds: float, reason: str | None, config: Path | None
) -> str:
    """Make a storage state the checkpoint of a profile. Returns what it holds, in words. Raises CommandError,
    OSError."""
    data, facts = parse_storage_state(read_limited(file, MAX_FILE_BYTES), str(file))
    holds = f"{len(facts.cookies)} cookies, storage of {len(facts.origins)} sites"
    async with changing(profile, "profile import", reason, config, {"storage_state": 1}, wait_seconds) as held:
        await held.refuse_elsewhere()
        async with living_here(held, profile):
            checkpoint = ProfileCheckpoint(data, time.time())
            await held.once_closed(lambda: held.place.keep_checkpoint(profile, checkpoint, held.fence))
        await held.forget_login(profile)
        held.action.outcome = holds
    return holds
