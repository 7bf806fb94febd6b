import pytest
from pw_doubles import any_typed

from pageworker_runner.attempts.profile_report import profile_report


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example/login", "https://shop.example/login"),
        ("https://anna:pw@shop.example/login?token=1#code=2", "https://shop.example/login"),
        ("https://shop.example/a\nb?x", "https://shop.example/a\nb"),
        ("about:blank", None),
    ],
)
def test_an_address_has_no_user_no_query_and_no_fragment(url: str, kept: str | None) -> None:
    assert profile_report("needs_login", {}, url).url == kept


def test_evidence_is_short_text() -> None:
    many = {f"name{number}": number for number in range(20)}
    report = profile_report("needs_human", {"text": "x\ud800" * 1000, **many}, "about:blank")
    assert len(report.evidence["text"]) == 256
    assert report.evidence["text"].startswith("x\ufffd")
    assert len(report.evidence) == 8
    assert report.evidence["name0"] == "0"


def test_another_word_is_refused_with_the_states() -> None:
    with pytest.raises(ValueError, match="authenticated, needs_login, needs_human"):
        profile_report(any_typed("logged_in"), {}, "about:blank")
