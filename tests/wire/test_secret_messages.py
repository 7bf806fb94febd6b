"""The bounds of requests for secrets."""

import msgspec
import pytest

from pageworker_sandbox.wire import messages as m


@pytest.mark.parametrize("name", ["", "Shop", "shop__login", "_shop", "shop_", "a" * 64, "shop\n"])
def test_a_name_reads_in_one_way_only(name: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"attempt_id": "a", "number": 1, "name": name, "form": "value"}, m.SecretRequest)


def test_the_longest_secret_fits_into_its_frame() -> None:
    (spec,) = (spec for spec in m.TO_RUNNER.values() if spec.message is m.SecretAnswer)
    answer = m.SecretAnswer(attempt_id="a" * 160, number=1, value="😀" * m.MAX_SECRET_CHARS)
    assert len(msgspec.msgpack.encode(answer)) < spec.max_bytes
