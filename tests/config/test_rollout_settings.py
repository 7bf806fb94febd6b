"""The section `[rollouts]`."""

from pageworker_supervisor.config.rollout_settings import RolloutSettings


def test_a_bad_version_goes_by_itself_and_a_good_one_waits_for_a_person() -> None:
    settings = RolloutSettings()
    assert settings.automatic_rollback
    assert settings.promote_after_seconds is None
