"""What a module reports of its profile's login, as the wire has it. Pure."""

import re
from collections.abc import Mapping
from typing import get_args

from pageworker import ProfileState
from pageworker_runner.reporting.sanitize import fit, fit_fields
from pageworker_sandbox.wire.profile_report import (
    MAX_PROFILE_EVIDENCE,
    MAX_PROFILE_URL,
    MAX_PROFILE_VALUE,
    ProfileReport,
)

SECRET_PARTS = re.compile(r"^(\w+://)(?:[^/?#]*@)?([^?#]*).*", re.DOTALL)
"""An address without its user, its query and its fragment: those of login pages hold tokens."""


def profile_report(state: ProfileState, evidence: Mapping[str, object], page_url: str) -> ProfileReport:
    """The report. Raises ValueError if there is no such state."""
    if state not in get_args(ProfileState):
        raise ValueError(f"There is no profile state {state!r}. The states are: {', '.join(get_args(ProfileState))}.")
    total = MAX_PROFILE_EVIDENCE * MAX_PROFILE_VALUE
    kept = fit_fields(evidence, count=MAX_PROFILE_EVIDENCE, value_chars=MAX_PROFILE_VALUE, total_chars=total)
    url = None if page_url == "about:blank" else fit(SECRET_PARTS.sub(r"\1\2", page_url), MAX_PROFILE_URL)
    return ProfileReport(state=state, evidence=kept, url=url)
