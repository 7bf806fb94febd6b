"""Names of what is paused: exactly those that jobs have."""

import pytest

from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.paused_name import paused_name
from pageworker_supervisor.queue.pauses import PauseKind


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("tenant", "acme-2", "acme-2"),
        ("module", "shop.product", "shop.product"),
        ("domain", "Shop.Example.", "shop.example"),
        ("domain", "münchen.test", "xn--mnchen-3ya.test"),
        ("domain", "::1", "[::1]"),
    ],
)
def test_a_name_as_jobs_have_it(kind: PauseKind, text: str, name: str) -> None:
    assert paused_name(kind, text) == name


@pytest.mark.parametrize(
    ("kind", "text", "exit_code"),
    [
        *((kind, "sh*p", CommandExit.REFUSED) for kind in ("tenant", "module", "domain")),
        ("domain", "?.example", CommandExit.REFUSED),
        *(("tenant", text, CommandExit.USAGE) for text in ("", "Acme", "a/b", "a" * 64, "a\n")),
        *(("module", text, CommandExit.USAGE) for text in ("", "shop.product@1.2.3", "Shop", "a" * 201)),
        *(
            ("domain", text, CommandExit.USAGE)
            for text in ("", "http://shop.example", "shop.example/a", "shop.test@acme")
        ),
    ],
)
def test_other_texts_are_refused(kind: PauseKind, text: str, exit_code: CommandExit) -> None:
    with pytest.raises(CommandError) as refused:
        paused_name(kind, text)
    assert refused.value.exit_code == exit_code
