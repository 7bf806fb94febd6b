"""The section of the HTTP API."""

import msgspec
import pytest

from pageworker_supervisor.config.api_settings import ApiSettings


def test_there_is_no_api_without_an_address() -> None:
    assert ApiSettings().bind is None


@pytest.mark.parametrize("bind", ["127.0.0.1:9480", "[::1]:0", "api.example:80"])
def test_addresses(bind: str) -> None:
    assert msgspec.convert({"bind": bind}, ApiSettings).bind == bind


@pytest.mark.parametrize(
    "wrong", [{"bind": "9480"}, {"bind": "a:1\n"}, {"burst": 0}, {"max_body_bytes": 1000}, {"max_wait_seconds": 601}]
)
def test_values_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, ApiSettings)
