"""Names of the SDK that are going, in the sources of modules."""

from pageworker.deprecations import DEPRECATED, Deprecation, announced
from pageworker_sandbox.signing.version import precedence

TABLE = (
    Deprecation("helpers.which", "1.2.0", "use `helpers.wait_until`"),
    Deprecation("Failed", "1.1.0", "raise `RetryLater`"),
)
SOURCE = """from pageworker import Failed, FailedHard
async def handler(page, payload, helpers, context):
    await helpers.which({})
    await helpers.whichever({})
    raise pageworker.Failed("no")
"""


def test_each_line_with_a_deprecated_name_is_found() -> None:
    found = [(line, entry.name) for line, entry in announced(SOURCE, TABLE)]
    assert found == [(1, "Failed"), (3, "helpers.which"), (5, "Failed")]


def test_without_entries_nothing_is_found() -> None:
    assert announced(SOURCE, ()) == []


def test_the_entries_are_in_the_sdks_own_terms() -> None:
    for entry in DEPRECATED:
        precedence(entry.since)
        assert entry.instead
