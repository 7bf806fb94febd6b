from pageworker_supervisor.cli.login_rows import login_answer, login_text
from pageworker_supervisor.contract.profile_login import ProfileLogin
from pageworker_supervisor.queue.profile_logins import LoginRecord

HUMAN = LoginRecord(
    state=ProfileLogin.NEEDS_HUMAN,
    since=1.0,
    reported_at=2.0,
    module="shop.cart",
    job_id="j1",
    url="https://shop.example/2fa",
    evidence={"text": "code\x1b[2J sent"},
)


def test_a_state_has_its_time_its_place_and_its_evidence() -> None:
    answer = login_answer(HUMAN)
    assert (answer.state, answer.since, answer.reported_at) == (
        "needs_human",
        "1970-01-01T00:00:01Z",
        "1970-01-01T00:00:02Z",
    )
    text = login_text(answer)
    assert text.startswith(
        "Login: needs_human since 1970-01-01T00:00:01Z, found by shop.cart in job j1 at https://shop"
    )
    assert "sent" in text
    assert "\x1b" not in text


def test_without_a_report_nothing_is_known() -> None:
    answer = login_answer(LoginRecord())
    assert (answer.state, answer.since, answer.module, answer.url) == ("unknown", None, None, None)
    assert login_text(answer) == "Login: unknown, no module has reported it."
