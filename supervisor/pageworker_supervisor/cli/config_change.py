"""Proposes a change of the central configuration, waits for the votes of the workers, and prints the outcome."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from pageworker_supervisor.central.document import texts_of_values, values_of
from pageworker_supervisor.central.parameter_change import parameter_change
from pageworker_supervisor.central.parameter_names import NoParameterName, values_of_parameters
from pageworker_supervisor.central.parameter_store import ParameterStore, ParameterStoreAway
from pageworker_supervisor.cli.audited import audited, many
from pageworker_supervisor.cli.connect import local_layers_of, open_queue, valid
from pageworker_supervisor.cli.local_user import user_at_host
from pageworker_supervisor.cli.output import CommandError, CommandExit, note, show
from pageworker_supervisor.config.central_document import EMPTY, CentralValues, central_layer, parameter_path
from pageworker_supervisor.config.errors import ConfigInvalid
from pageworker_supervisor.config.load import LocalLayers
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.config_store import ConfigOutcome, ConfigState, ConfigStore, Texts
from pageworker_supervisor.queue.errors import ConfigStoreDamaged

OUTCOME_SECONDS = 8.0
"""Workers have three seconds to vote. A slow Redis may need more."""
BUSY_SECONDS = 10.0
MOST_TEXT = 1000
APPLY_SECONDS = 5.0
PAUSE_SECONDS = 0.05
"""Between two looks at what the workers run. Nothing notifies of it."""

ChangeReason = Annotated[str, Parameter(help="Why you change it. It stays in the history.")]
Who = Annotated[str | None, Parameter(help="Who changes it. Default: your user name and host.")]


class ChangeReport(Struct, frozen=True):
    """How a change ended, the version that counts now, and one line per worker.

    `state`: `committed`, `refused`, or `unchanged` (no value differs).
    """

    state: str
    version: int
    workers: dict[str, list[str]]


@dataclass(frozen=True)
class OpenConfig:
    """What a change of the central configuration needs. `parameters`: the Parameter Store that holds the values."""

    queue: QueueClient
    settings: Settings
    parameters: ParameterStore | None

    @property
    def store(self) -> ConfigStore:
        """The central configuration."""
        return self.queue.config


@asynccontextmanager
async def open_store(config: Path | None) -> AsyncIterator[ConfigStore]:
    """The central configuration for the length of the block. Raises CommandError if it is off, or does not answer."""
    async with open_for_change(config) as opened:
        yield opened.store


@asynccontextmanager
async def open_for_change(config: Path | None) -> AsyncIterator[OpenConfig]:
    """As `open_store`, with all that a change needs."""
    async with open_queue(config) as (_, queue, settings):
        central = settings.config.central
        if central == "off":
            raise CommandError("config.central is off: these workers read no central configuration", "Remove it.")
        path = parameter_path(central)
        try:
            yield OpenConfig(queue, settings, None if path is None else ParameterStore(path))
        except ParameterStoreAway as away:
            raise CommandError(printable(away), exit_code=CommandExit.UNREACHABLE) from away
        except NoParameterName as unnamed:
            raise CommandError(printable(unnamed), exit_code=CommandExit.REFUSED) from unnamed


def values_in(state: ConfigState) -> CentralValues:
    """What counts now. Raises CommandError if it cannot be read."""
    try:
        return values_of(state.document)
    except ConfigInvalid as invalid:
        raise CommandError(
            str(invalid), "Run `workerctl config history`, then `workerctl config rollback`."
        ) from invalid


async def settings_in_effect(config: Path | None, queue: QueueClient, local: Settings) -> Settings:
    """The settings with the central configuration. Raises CommandError if it cannot be read."""
    if local.config.central == "off":
        return local
    return valid(local_layers_of(config), values_in(await queue.config.state()))


def central_values(config: Path | None, local: LocalLayers) -> CentralValues | None:
    """What counts now, for a command that also works without it; None, with a note on stderr: it cannot be read."""
    if valid(local).config.central == "off":
        return EMPTY

    async def read() -> CentralValues:
        async with open_store(config) as store:
            return values_in(await store.state())

    try:
        return asyncio.run(read())
    except CommandError as away:
        note(f"without the central configuration: {away}")
        return None


def check_layer(values: CentralValues) -> None:
    """Check names, types and classes here, before workers are asked. Raises CommandError with every mistake."""
    if problems := central_layer(values).problems:
        raise CommandError(str(ConfigInvalid(problems)), exit_code=CommandExit.REFUSED)


def refuse_other_bytes(argument: str) -> None:
    """Raises CommandError for an argument with bytes that are not UTF-8: neither Redis nor JSON could hold them."""
    try:
        argument.encode()
    except UnicodeEncodeError as error:
        what = f"{printable(argument)}: the argument has bytes that are not UTF-8"
        raise CommandError(what, "Type it in a terminal with a UTF-8 locale.", CommandExit.USAGE) from error


class Change(Struct, frozen=True):
    """A whole document in place of the version that counted when it was read."""

    base: ConfigState
    values: CentralValues
    reason: str
    who: str | None = None


async def apply(opened: OpenConfig, command: str, change: Change) -> ChangeReport:
    """Propose it and wait for the outcome. Raises CommandError if another change was faster.

    With a Parameter Store, the parameters are written first, because workers follow them. They are restored if the
    workers refuse the change.
    """
    if not change.reason.strip():
        raise CommandError("--reason is empty", "Say why you change it.", CommandExit.USAGE)
    for text in (change.reason, change.who or ""):
        refuse_other_bytes(text)
    if len(change.reason) > MOST_TEXT or len(change.who or "") > MOST_TEXT:
        what = f"--reason or --who has more than {MOST_TEXT} characters"
        raise CommandError(what, "Make it shorter: the history keeps it.", CommandExit.USAGE)
    texts, new = _texts_in(change.base) or {}, texts_of_values(change.values)
    target, detail = many(sorted(name for name in {*texts, *new} if texts.get(name) != new.get(name)), "settings")
    async with audited(opened.queue, opened.settings, command, target, change.reason, detail) as action:
        report = await _apply(opened.store, opened.parameters, change)
        action.outcome = f"{report.state}: version {report.version}"
        return report


async def _apply(store: ConfigStore, parameters: ParameterStore | None, change: Change) -> ChangeReport:
    if parameters is None:
        return await _proposed(store, change)
    before = await parameters.read()
    if values_of_parameters(parameters.path, before) != values_in(change.base):
        what = f"the workers do not run what is in the Parameter Store at {parameters.path}"
        raise CommandError(what, "Wait for config.poll_seconds, and read the workers' log.", CommandExit.REFUSED)
    written = parameter_change(parameters.path, before, change.values)
    await parameters.write(written)
    try:
        report = await _proposed(store, change)
    except BaseException:
        await parameters.write(written.undo(before))
        raise
    if report.state == "refused":
        await parameters.write(written.undo(before))
    return report


async def _proposed(store: ConfigStore, change: Change) -> ChangeReport:
    if not change.base.edited and _texts_in(change.base) == texts_of_values(change.values):
        return ChangeReport("unchanged", change.base.version, _running(change.base))
    name = secrets.token_hex(8)
    if (made := await _propose(store, name, change)) is not None:
        return ChangeReport("committed", made.version, _running(made))
    outcome = await _outcome(store, name)
    if outcome.state == "committed":
        await _applied(store, outcome)
    return await _report(store, outcome)


def _texts_in(state: ConfigState) -> Texts | None:
    """None for a damaged version: a rollback must be able to replace it."""
    try:
        return state.texts
    except ConfigStoreDamaged:
        return None


def _running(state: ConfigState) -> dict[str, list[str]]:
    return {worker: [f"runs version {one.version}"] for worker, one in sorted(state.workers.items())}


def print_change(report: ChangeReport, json: bool) -> CommandExit:
    """Print the outcome. Returns the exit code."""
    head = f"{report.state}: version {report.version} counts"
    lines = [f"  {printable(name)}: {printable(line)}" for name, told in report.workers.items() for line in told]
    show(report, "\n".join([head, *(lines or ["  no worker runs"])]), json)
    return CommandExit.REFUSED if report.state == "refused" else CommandExit.DONE


async def _propose(store: ConfigStore, name: str, change: Change) -> ConfigState | None:
    """None: it is proposed. The state if a worker that saw the parameters was faster with the same values."""
    who = change.who or user_at_host()
    texts = texts_of_values(change.values)
    until = time.monotonic() + BUSY_SECONDS
    while True:
        state = await store.propose(name, change.base.version, texts, who, change.reason)
        if state == "stale":
            now = await store.state()
            if now.texts == texts:
                return now
            what = f"version {change.base.version} was changed meanwhile: version {now.version} counts"
            raise CommandError(what, "Read `workerctl config diff`, and run the command again.", CommandExit.REFUSED)
        if state != "busy":
            return None
        if time.monotonic() > until:
            raise CommandError("another change waits for its votes", "Run the command again.", CommandExit.REFUSED)
        await asyncio.sleep(PAUSE_SECONDS)


async def _outcome(store: ConfigStore, name: str) -> ConfigOutcome:
    until = time.monotonic() + OUTCOME_SECONDS
    while time.monotonic() < until:
        if (outcome := await store.outcome(name)) is not None:
            return outcome
        await store.wait_outcome(name, 0.5)
    raise CommandError("the outcome is not known", "Read `workerctl config history`.", CommandExit.DEADLINE)


async def _applied(store: ConfigStore, outcome: ConfigOutcome) -> None:
    """Wait until every worker that agreed runs the version."""
    until = time.monotonic() + APPLY_SECONDS
    while time.monotonic() < until:
        running = (await store.state()).workers
        if all(running[name].version >= outcome.version for name in outcome.agreed if name in running):
            return
        await asyncio.sleep(PAUSE_SECONDS)


async def _report(store: ConfigStore, outcome: ConfigOutcome) -> ChangeReport:
    running = (await store.state()).workers
    workers: dict[str, list[str]] = {}
    for name in sorted({*outcome.agreed, *outcome.refusals, *outcome.left_out}):
        if name in outcome.left_out:
            workers[name] = [f"{outcome.left_out[name]}; it takes the version that counts when it answers again"]
        elif name in outcome.refusals:
            workers[name] = [f"refused: {reason}" for reason in outcome.refusals[name]]
        else:
            workers[name] = [f"runs version {running[name].version}" if name in running else "has stopped"]
    return ChangeReport(outcome.state, outcome.version, workers)
