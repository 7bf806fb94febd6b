"""A host is refused with the reason and the way to fix it."""

from pageworker_supervisor.host.errors import HostRefused


def test_the_text_holds_the_reason_and_the_fix() -> None:
    refused = HostRefused("no ids are free", "set sandbox.first_uid")
    assert str(refused) == "no ids are free; set sandbox.first_uid"
    assert (refused.what, refused.mend) == ("no ids are free", "set sandbox.first_uid")
