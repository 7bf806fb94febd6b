"""What a wrong log setting is answered with."""

import msgspec
import pytest

from pageworker_supervisor.config.log_settings import LogSettings


@pytest.mark.parametrize("name", ["level", "browser", "format"])
def test_an_unknown_word_is_refused_by_the_name_of_its_setting(name: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=rf"\$\.{name}"):
        msgspec.convert({name: "loud"}, LogSettings)
