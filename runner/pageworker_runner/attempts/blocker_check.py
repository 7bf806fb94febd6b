"""Looks for a blocker on an attempt's page: when it failed, when its handler returned if the module wants that, and
when the handler asks.

A blocker that is found ends the attempt as `blocked`. An attempt that ended by `Failed`,
`RetryLater` or `Blocked` is not looked at: its author has said why.
"""

import asyncio

from msgspec import structs

from pageworker import Blocked
from pageworker_runner.attempts import attempt_result
from pageworker_runner.attempts.attempt_result import AttemptResult
from pageworker_runner.limits import LIMITS
from pageworker_runner.pages.main_documents import MainDocuments
from pageworker_runner.pages.page_sight import UNKNOWN_LENGTH, sight_of
from pageworker_runner.pages.slot import WarmPage
from pageworker_runner.task_ownership import own_work
from pageworker_sandbox.blockers.recognition import FoundBlocker, recognise
from pageworker_sandbox.blockers.rules import BlockerRules, decode_rules
from pageworker_sandbox.blockers.signs import PageSight
from pageworker_sandbox.wire.messages import BlockerCheck

UNEXPLAINED = frozenset(
    {"timeout", "timed_out", "navigation_error", "handler_error", "field_missing", "unstable_page", "result_invalid"}
)
"""Types of errors that a blocker may be behind. A module's own types say what was wrong."""


class BlockerChecks:
    """Of all attempts of a runner. The rules are read when they are first needed."""

    def __init__(self, rules: bytes, documents: MainDocuments) -> None:
        """`rules`: the file's bytes, checked by the supervisor. Empty: no page is checked."""
        self._file = rules
        self._documents = documents

    @property
    def _rules(self) -> BlockerRules | None:
        return decode_rules(self._file) if self._file else None

    async def find(
        self, warm: WarmPage, threshold: float, seconds: float = LIMITS.blocker_check_seconds
    ) -> FoundBlocker | None:
        """The blocker that the page shows. None: no rule applies, or the page did not answer. Raises nothing."""
        rules = self._rules
        if rules is None or warm.page.is_closed():
            return None
        with own_work():
            sight = await sight_of(warm, self._documents, rules.selectors, seconds)
        return None if sight is None else recognise(rules, sight, threshold)

    async def _found_earlier(self, warm: WarmPage, threshold: float, seconds: float) -> dict[str, str | None] | None:
        """The newest document of the attempt before the present one that was a blocker, by its status and headers.

        It decides nothing: a challenge that a browser passes is followed by the page.
        """
        rules = self._rules
        if rules is None or warm.page.is_closed():
            return None
        try:
            async with asyncio.timeout(seconds):
                with own_work():
                    documents = await self._documents.earlier(warm.page)
        except TimeoutError:
            return None
        for each in documents:
            sight = PageSight(url=each.url, status=each.status, headers=each.headers, text_length=UNKNOWN_LENGTH)
            if (found := recognise(rules, sight, threshold)) is not None:
                return {"kind": found.kind, "provider": found.provider, "url": attempt_result.shown_url(each.url)}
        return None

    async def checked(
        self, result: AttemptResult, warm: WarmPage, when: BlockerCheck, threshold: float
    ) -> AttemptResult:
        """The attempt's end once its page was looked at: `blocked` if a blocker is behind it, else as it was."""
        if not _may_hide_a_blocker(result, when):
            return result
        stopped = result.outcome == "timed_out"
        seconds = LIMITS.stopped_blocker_check_seconds if stopped else LIMITS.blocker_check_seconds
        found = await self.find(warm, threshold, seconds)
        if found is None:
            earlier = await self._found_earlier(warm, threshold, seconds) if result.failure is not None else None
            return result if earlier is None else attempt_result.told_of(result, "blocked_before", earlier)
        blocked = attempt_result.raised(exception_of(found), "", warm.page.url)
        return structs.replace(blocked, failure=result.failure)


def exception_of(found: FoundBlocker) -> Blocked:
    """What a handler raises to end its attempt with this blocker."""
    return Blocked(found.kind, found.provider, found.evidence)


def _may_hide_a_blocker(result: AttemptResult, when: BlockerCheck) -> bool:
    if when == "off":
        return False
    if result.outcome == "succeeded":
        return when == "always"
    return result.failure is not None and result.failure.type in UNEXPLAINED
