"""`workerctl module rollout|promote|rollback|status` and `workerctl rollout`: which version of a module jobs get."""

from typing import Annotated

from cyclopts import Parameter
from msgspec.structs import replace

from pageworker_supervisor.cli.audited import Reason
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show, table
from pageworker_supervisor.cli.pause import instant
from pageworker_supervisor.cli.refused_versions import refused_versions
from pageworker_supervisor.cli.registry_access import RegistryAccess, registry_errors
from pageworker_supervisor.cli.rollout_change import (
    ModuleVersions,
    RolloutAnswer,
    answer_of,
    change_entry,
    entry_of,
    listed_module,
)
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.rollouts import rollout_entry as edits
from pageworker_supervisor.rollouts.automatic import memory_of
from pageworker_supervisor.rollouts.decision import decide
from pageworker_supervisor.rollouts.errors import RolloutRefused
from pageworker_supervisor.rollouts.rollout_entry import RolloutAuthor, RolloutEntry
from pageworker_supervisor.rollouts.rollout_state import RolloutState

Again = Annotated[
    bool, Parameter(name="--again", negative=(), help="Choose a version although it was rolled back before.")
]


async def rollout(
    name: str,
    version: str | None = None,
    *,
    percent: float = 100.0,
    tags: Annotated[tuple[str, ...], Parameter(name=("--tag",), negative=(), show_default=False)] = (),
    channel: str = "",
    stop: Annotated[bool, Parameter(name="--stop", negative=())] = False,
    again: Again = False,
    place: RegistryAccess | None = None,
    reason: Reason = None,
    json: Json = False,
) -> None:
    """Give a new version of a module to a share of the jobs, or to some workers; change the share; stop.

    Jobs that would get the version of the channel take part. Jobs with a pin, their own or their tenant's, do not. The
    rollout ends with `promote`, `rollback` or `--stop`, or by the automatic decision (docs/rollouts.md). Workers follow
    within two seconds. The exit code is 4 if the signed index does not permit the version. Example:
    `workerctl module rollout acme.prices 0.2.0 --percent 10`.

    Parameters
    ----------
    name
        Name of the module.
    version
        Published version that the share gets.
    percent
        Share of the jobs, by a hash of tenant and job, above 0 and at most 100.
    tags
        Only workers with this tag take part. Repeat the option for more tags.
    channel
        Only workers that follow this channel take part. Default: all workers, for jobs of `stable`.
    stop
        Give up the running rollout.
    """
    if not 0 < percent <= 100:
        raise CommandError("--percent is above 0 and at most 100", "Write e.g. --percent 10.", CommandExit.USAGE)
    if (version is None) != stop:
        raise CommandError("name a version, or --stop", "See `--help`.", CommandExit.USAGE)

    def edit(known: ModuleVersions, rollout_id: str, author: RolloutAuthor) -> RolloutEntry:
        if version is None:
            return edits.stop(known.entry, author)
        running = known.entry.running
        same = running is not None and running.to_version == version
        before = running.from_version if running is not None and same else known.current(channel)
        return edits.start(
            known.entry,
            rollout_id,
            (before, version),
            author,
            percent=percent,
            tags=tags,
            channel=channel,
            again=again,
        )

    detail = {"version": version or "", "percent": f"{percent:g}", "tags": " ".join(tags), "channel": channel}
    answer = await change_entry(place or RegistryAccess(), "module rollout", name, reason, edit, detail)
    show(answer, _text(answer), json)


async def promote(
    name: str,
    version: str | None = None,
    *,
    again: Again = False,
    place: RegistryAccess | None = None,
    reason: Reason = None,
    json: Json = False,
) -> None:
    """Give a version of a module to all jobs of its channel, at once.

    Without VERSION, the new version of the newest rollout. Pins of jobs and tenants go before. The exit code is 4 if
    the signed index does not permit the version, or if it was rolled back before. Example: `workerctl module promote
    acme.prices`.

    Parameters
    ----------
    name
        Name of the module.
    version
        Published version.
    """

    def edit(known: ModuleVersions, rollout_id: str, author: RolloutAuthor) -> RolloutEntry:
        newest = known.entry.rollout
        if version is None or (newest is not None and newest.running and newest.to_version == version):
            return edits.promote(known.entry, rollout_id, None, author, again=again)
        return edits.promote(known.entry, rollout_id, (known.current(), version), author, again=again)

    answer = await change_entry(
        place or RegistryAccess(), "module promote", name, reason, edit, {"version": version or ""}
    )
    show(answer, _text(answer), json)


async def rollback(
    name: str,
    version: str | None = None,
    *,
    place: RegistryAccess | None = None,
    reason: Reason = None,
    json: Json = False,
) -> None:
    """Take a version of a module away from all jobs that it is not pinned for, at once.

    A running or promoted rollout is rolled back. Without one, jobs go back from the version of `stable` to VERSION, by
    default the highest lower one. The version that is rolled back is not chosen again without `promote --again`.
    Workers follow within two seconds. Example: `workerctl module rollback acme.prices --reason "prices are missing"`.

    Parameters
    ----------
    name
        Name of the module.
    version
        Published version to go back to.
    """

    def edit(known: ModuleVersions, rollout_id: str, author: RolloutAuthor) -> RolloutEntry:
        return edits.roll_back(known.entry, rollout_id, _ways_back(known, version), author)

    answer = await change_entry(
        place or RegistryAccess(), "module rollback", name, reason, edit, {"version": version or ""}
    )
    show(answer, _text(answer), json)


async def status(name: str, *, place: RegistryAccess | None = None, json: Json = False) -> None:
    """Show which versions of a module jobs get: channels, the newest rollout with its counts, what was rolled back.

    Also names versions that did not load, with the workers that refuse them.

    Example: `workerctl module status acme.prices`.

    Parameters
    ----------
    name
        Name of the module.
    """
    place = place or RegistryAccess()
    with registry_errors():
        async with open_queue(place.config) as (_, queue, settings):
            listed = await listed_module(place, name)
            workers = await queue.workers.everyone()
            stored = await queue.rollouts.entry(name)
            entry, counts, evidence = entry_of(stored), {}, ""
            if entry.rollout is not None:
                counts = dict(await queue.rollouts.counts(name, entry.rollout.id))
            if entry.running is not None:
                memory = memory_of(name, (await queue.rollouts.decision(name, entry.running.id)).state)
                evidence = decide(memory, counts, entry.running, settings.rollouts, 0).evidence
    revision = stored.revision if stored is not None else 0
    reports = [worker.report for worker in workers.workers if worker.report is not None]
    answer = replace(
        answer_of(name, revision, entry, counts, listed.channels, evidence),
        refused=refused_versions(name, reports, workers.now),
    )
    show(answer, _text(answer), json)


async def rollouts(*, config: Config = None, json: Json = False) -> None:
    """List the rollouts of all modules, and the versions that were rolled back or withdrawn.

    `workerctl module status` shows one module. Example: `workerctl rollout`.
    """
    async with open_queue(config) as (_, queue, _settings):
        look = await queue.rollouts.look()
    answers = [answer_of(module, stored.revision, entry_of(stored)) for module, stored in sorted(look.entries.items())]
    rows = [_row(answer) for answer in answers]
    head = ("MODULE", "STATE", "FROM", "TO", "PERCENT", "SINCE", "BY", "ROLLED BACK")
    show(answers, table(head, rows) if rows else "No module has a rollout.", json)


def _ways_back(known: ModuleVersions, version: str | None) -> tuple[str, str] | None:
    """The version to go back to, and the one that is rolled back. None: those of the newest rollout."""
    newest = known.entry.rollout
    if newest is not None and version in (None, newest.from_version):
        promoted = newest.state is RolloutState.PROMOTED and known.current() == newest.to_version
        if newest.running or promoted:
            return None
    current = known.current()
    back = version or known.before(current)
    if back is None:
        raise RolloutRefused(f"no version below {current} is left", "name a version, or publish one")
    return back, current


def _row(answer: RolloutAnswer) -> tuple[object, ...]:
    one = answer.rollout
    back = ", ".join(answer.rolled_back)
    if one is None:
        return (answer.module, "-", "-", "-", "-", "-", "-", back)
    since = instant(one.changed_at_ms)
    return (answer.module, one.state.value, one.from_version, one.to_version, f"{one.percent:g}", since, one.who, back)


def _text(answer: RolloutAnswer) -> str:
    lines = []
    one = answer.rollout
    if one is not None:
        scope = "".join((f" of workers with tag {', '.join(one.tags)}" if one.tags else "",))
        scope += f" of channel {one.channel}" if one.channel else ""
        share = f", {one.percent:g} % of the jobs{scope}" if one.running else ""
        lines.append(f"{answer.module} {one.from_version} -> {one.to_version}: {one.state.value}{share}")
        why = f": {one.why}" if one.why else ""
        lines.append(f"  by {one.who} at {instant(one.changed_at_ms)}{why}")
        if one.evidence:
            lines.append(f"  evidence: {one.evidence}")
    else:
        lines.append(f"{answer.module} has no rollout")
    if answer.evidence_now:
        lines.append(f"  so far: {answer.evidence_now}")
    lines += [f"  channel {channel}: {version}" for channel, version in sorted(answer.channels.items())]
    lines += [f"  jobs get {new} in place of {old}" for old, new in answer.replaced.items()]
    if answer.rolled_back:
        lines.append(f"  rolled back: {', '.join(answer.rolled_back)}")
    if answer.withdrawn:
        lines.append(f"  withdrawn: {', '.join(answer.withdrawn)}")
    lines += [
        f"  {each.version} does not load for {each.tenant_id} on {', '.join(each.workers)}: {each.reason}"
        for each in answer.refused
    ]
    lines += [f"  {name}: {number}" for name, number in answer.counts.items()]
    return "\n".join(printable(line) for line in lines)
