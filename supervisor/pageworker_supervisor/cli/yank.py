"""`workerctl module yank`: withdraws a version, in the signed index or at once through Redis."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.cli.answers import YankedAnswer
from pageworker_supervisor.cli.audited import Reason
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.cli.password import PasswordFile
from pageworker_supervisor.cli.publishing import index_text, outcome_of
from pageworker_supervisor.cli.registry_access import KeyFile, RegistryAccess, RegistryChange, registry_errors
from pageworker_supervisor.cli.rollout_change import ModuleVersions, change_entry
from pageworker_supervisor.registry.index_update import EXPIRY_DAYS, yank
from pageworker_supervisor.rollouts import rollout_entry as edits
from pageworker_supervisor.rollouts.errors import RolloutRefused
from pageworker_supervisor.rollouts.rollout_entry import RolloutAuthor, RolloutEntry


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class YankOptions(RegistryAccess):
    """How a version is withdrawn."""

    key: KeyFile | None = None
    password_file: PasswordFile = None
    expiry_days: float = EXPIRY_DAYS
    """Days until the new index expires. Workers refuse an expired index."""
    reason: Reason = None
    fast: Annotated[bool, Parameter(negative=())] = False
    """Withdraw it through Redis, within two seconds and without a key. The index stays as it is."""
    undo: Annotated[bool, Parameter(negative=())] = False
    """With --fast: take a withdrawal through Redis back."""

    def change(self) -> RegistryChange:
        """The same for the index. Raises CommandError without a key."""
        if self.key is None:
            raise CommandError("--key is missing", "Give the signing key, or --fast.", CommandExit.USAGE)
        return RegistryChange(
            registry=self.registry,
            trusted=self.trusted,
            config=self.config,
            key=self.key,
            password_file=self.password_file,
            expiry_days=self.expiry_days,
            reason=self.reason,
        )


async def yank_version(name: str, version: str, *, options: YankOptions | None = None, json: Json = False) -> None:
    """Withdraw a version, so that no worker runs it any more, not even for jobs that pin it.

    With --key, it is withdrawn in the signed index. With --fast, it is withdrawn through Redis, for all workers of this
    Redis. Example: `workerctl module yank acme.prices 0.1.0 --key release.key`.

    Parameters
    ----------
    name
        Name of the module.
    version
        Version to withdraw. No channel may point to it.
    """
    options = options or YankOptions()
    if options.fast == (options.key is not None) or (options.undo and not options.fast):
        raise CommandError("give --key or --fast", "--undo belongs to --fast.", CommandExit.USAGE)
    if options.fast:
        await _fast(name, version, options, json)
        return
    change = options.change()
    with registry_errors():
        key = change.open_key()
        publisher = change.publisher(key)
        async with change.recorded("module yank", key, f"{name}@{version}") as action:
            index = await publisher.change(yank(name, version))
            action.outcome = outcome_of(index)
    facts = YankedAnswer(name, version, True, index.serial, index.expires)
    show(facts, f"yanked {name} {version}; {index_text(index)}", json)


async def _fast(name: str, version: str, options: YankOptions, json: bool) -> None:
    def edit(known: ModuleVersions, _: str, author: RolloutAuthor) -> RolloutEntry:
        if options.undo:
            return edits.restore(known.entry, version)
        if version not in known.listed.versions:
            raise RolloutRefused(f"the registry has no {name} {version}", "see `workerctl module list`")
        following = sorted(each for each in known.listed.channels if known.current(each) == version)
        if following:
            raise RolloutRefused(
                f"jobs of channel {', '.join(following)} of {name} get {version}",
                f"first run `workerctl module rollback {name}`",
            )
        return edits.withdraw(known.entry, version, author)

    detail = {"version": version, "undo": str(options.undo)}
    answer = await change_entry(options, "module yank", name, options.reason, edit, detail)
    text = f"{name} {version} is {'restored' if options.undo else 'withdrawn'}; revision {answer.revision}"
    show(answer, text, json)
