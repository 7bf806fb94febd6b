"""Which versions a command may choose."""

from pageworker_sandbox.signing import IndexedModule, IndexedVersion
from pageworker_supervisor.cli.rollout_change import ModuleVersions
from pageworker_supervisor.rollouts.rollout_entry import RolloutEntry


def test_the_version_before_is_the_highest_lower_one_that_may_run() -> None:
    listed = IndexedModule(
        versions={
            each: IndexedVersion(sha256="0" * 64, bytes=1, yanked=each == "1.9.0")
            for each in ("1.2.0", "1.10.0", "1.9.0", "2.0.0", "1.11.0")
        },
        channels={"stable": "2.0.0"},
    )
    known = ModuleVersions("a", listed, RolloutEntry(rolled_back=("1.11.0",)))
    assert (known.current(), known.before("2.0.0"), known.before("1.10.0"), known.before("1.2.0")) == (
        *("2.0.0", "1.10.0"),
        *("1.2.0", None),
    )
