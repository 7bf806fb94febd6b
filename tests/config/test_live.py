"""Parts of the settings that change while the worker runs."""

from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.log_settings import LogSettings
from pageworker_supervisor.config.settings import PoolSettings, Settings


def test_a_part_changes_together_with_the_whole() -> None:
    whole = Live(Settings())
    pool = whole.part(lambda settings: settings.pool)
    whole.replace(Settings(pool=PoolSettings(runners=9)))
    assert pool.value.runners == 9


def test_an_action_runs_for_a_change_of_its_part_alone() -> None:
    whole, seen = Live(Settings()), list[int]()
    whole.part(lambda settings: settings.pool.runners).on_change(seen.append)
    whole.replace(Settings(log=LogSettings(level="debug")))
    assert seen == []
    whole.replace(Settings(pool=PoolSettings(runners=2)))
    whole.replace(Settings(pool=PoolSettings(runners=2)))
    assert seen == [2]


def test_an_action_sees_the_new_value() -> None:
    live, seen = Live(1), list[int]()
    live.on_change(lambda _: seen.append(live.value))
    live.replace(2)
    assert seen == [2]
