"""Whether the browser of a profile is logged in, as far as the fleet knows.

Theory of operation
===================

Only a module can say whether its site takes a profile for logged in. A module says it in three ways: its handler calls
`helpers.profile_state`, its `login_probe` finds it, or a job ends as `blocked` with `login_required`. Each is an event
here, and the newest one counts, with one exception: a profile that NEEDS_HUMAN stays so until it is AUTHENTICATED. A
login form alone does not tell that the code from a phone is no longer wanted.

A profile that was never reported, or that was removed, is UNKNOWN. So is one without a report for 90 days, and one
whose data a command has replaced (`workerctl profile quarantine|restore|reset|import`).

The record is in Redis, so the table is enforced there: `queue/library.py` generates it as Lua, and the function
`report_profile_login` is the only writer. The table is checked in Python and on a real Redis for every pair
(`tests/contract/test_profile_login.py`, `tests/queue/test_profile_logins.py`).
"""

from enum import Enum

from pageworker_sandbox.state_machine import TransitionTable


class ProfileLogin(Enum):
    """The state. The values stand in Redis, in events and in the output of `workerctl profile`."""

    UNKNOWN = "unknown"
    AUTHENTICATED = "authenticated"
    NEEDS_LOGIN = "needs_login"
    """A module can log in again by itself."""
    NEEDS_HUMAN = "needs_human"
    """A person has to act: a code, a captcha, a locked account."""


class LoginEvent(Enum):
    """What is found of a profile. The values are the words of `helpers.profile_state`, except FORGET."""

    AUTHENTICATED = "authenticated"
    NEEDS_LOGIN = "needs_login"
    NEEDS_HUMAN = "needs_human"
    FORGET = "forget"
    """The profile was removed, or has other data."""


_S, _E = ProfileLogin, LoginEvent

TRANSITIONS: TransitionTable[ProfileLogin, LoginEvent] = {
    (_S.UNKNOWN, _E.AUTHENTICATED): _S.AUTHENTICATED,
    (_S.UNKNOWN, _E.NEEDS_LOGIN): _S.NEEDS_LOGIN,
    (_S.UNKNOWN, _E.NEEDS_HUMAN): _S.NEEDS_HUMAN,
    (_S.UNKNOWN, _E.FORGET): _S.UNKNOWN,
    (_S.AUTHENTICATED, _E.AUTHENTICATED): _S.AUTHENTICATED,
    (_S.AUTHENTICATED, _E.NEEDS_LOGIN): _S.NEEDS_LOGIN,
    (_S.AUTHENTICATED, _E.NEEDS_HUMAN): _S.NEEDS_HUMAN,
    (_S.AUTHENTICATED, _E.FORGET): _S.UNKNOWN,
    (_S.NEEDS_LOGIN, _E.AUTHENTICATED): _S.AUTHENTICATED,
    (_S.NEEDS_LOGIN, _E.NEEDS_LOGIN): _S.NEEDS_LOGIN,
    (_S.NEEDS_LOGIN, _E.NEEDS_HUMAN): _S.NEEDS_HUMAN,
    (_S.NEEDS_LOGIN, _E.FORGET): _S.UNKNOWN,
    (_S.NEEDS_HUMAN, _E.AUTHENTICATED): _S.AUTHENTICATED,
    (_S.NEEDS_HUMAN, _E.NEEDS_LOGIN): _S.NEEDS_HUMAN,
    (_S.NEEDS_HUMAN, _E.NEEDS_HUMAN): _S.NEEDS_HUMAN,
    (_S.NEEDS_HUMAN, _E.FORGET): _S.UNKNOWN,
}

START = ProfileLogin.UNKNOWN
