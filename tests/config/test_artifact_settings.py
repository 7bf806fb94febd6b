"""The bounds of `[artifacts]`."""

import msgspec
import pytest

from pageworker_supervisor.artifacts.links import LONGEST_SECONDS
from pageworker_supervisor.config.artifact_settings import ArtifactSettings


def test_no_link_is_signed_for_longer_than_the_api_accepts() -> None:
    assert msgspec.convert({"link_seconds": LONGEST_SECONDS}, ArtifactSettings).link_seconds == LONGEST_SECONDS
    for given in ({"link_seconds": LONGEST_SECONDS + 1}, {"link_secret": "Links"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(given, ArtifactSettings)
