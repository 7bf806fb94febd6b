import itertools

import pytest

from pageworker_sandbox.state_machine import next_state
from pageworker_supervisor.contract.profile_login import TRANSITIONS, LoginEvent, ProfileLogin


@pytest.mark.parametrize(("state", "event"), list(itertools.product(ProfileLogin, LoginEvent)))
def test_the_newest_report_counts_but_only_a_login_ends_the_need_of_a_human(
    state: ProfileLogin, event: LoginEvent
) -> None:
    after = next_state(TRANSITIONS, state, event)
    if event is LoginEvent.FORGET:
        assert after is ProfileLogin.UNKNOWN
    elif state is ProfileLogin.NEEDS_HUMAN and event is LoginEvent.NEEDS_LOGIN:
        assert after is ProfileLogin.NEEDS_HUMAN
    else:
        assert after.value == event.value
