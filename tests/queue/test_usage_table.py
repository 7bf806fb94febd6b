"""The hours of usage as columns."""

from pageworker_supervisor.queue.usage import OUTCOMES, UsageHour
from pageworker_supervisor.queue.usage_table import COLUMNS, usage_columns, usage_csv

ROW = UsageHour(
    tenant_id="acme",
    hour=1_790_000_000 // 3600 * 3600,
    page_seconds=1.25,
    requests=2,
    bytes_in=3,
    bytes_out=4,
    jobs={name: 10 + at for at, name in enumerate(OUTCOMES) if name != "dead"},
)


def test_a_number_stands_below_its_name() -> None:
    row = dict(zip(COLUMNS, usage_columns(ROW), strict=True))
    used = {"page_seconds": 1.25, "requests": 2, "bytes_in": 3, "bytes_out": 4}
    assert row == {"hour": "2026-09-21T14:00:00Z", **used, **ROW.jobs, "dead": 0}


def test_comma_separated_values_have_the_names_first() -> None:
    first, second, rest = usage_csv([ROW], "\r\n").split("\r\n")
    assert first.split(",") == ["tenant_id", *COLUMNS]
    assert second.split(",") == ["acme", *map(str, usage_columns(ROW))]
    assert rest == ""
    assert usage_csv([], "\n") == ",".join(("tenant_id", *COLUMNS)) + "\n"
