"""The error of the exporter's headers."""

from pageworker_supervisor.tracing.errors import HeadersMissing


def test_its_text_is_the_reason() -> None:
    assert str(HeadersMissing("tracing.header_secrets.X: away")) == "tracing.header_secrets.X: away"
