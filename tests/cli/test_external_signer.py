"""A program signs in place of a secret key file. Its answer is verified before it is used."""

import base64
import shlex
import sys
from pathlib import Path

import pytest
from pw_modules.minisign import minisign

from pageworker_sandbox.signing import read_secret
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.external_signer import ExternalSigner, open_signer, signature_in
from pageworker_supervisor.cli.output import CommandError

SIGN = """
import base64, sys
from nacl.signing import SigningKey
signature = SigningKey(bytes.fromhex(sys.argv[1])).sign(sys.stdin.buffer.read()).signature
sys.stdout.buffer.write(base64.b64encode(signature) + b"\\n" if sys.argv[2:] else signature)
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module, and two keys whose secret files a command cannot use."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))
    for words in (["module", "new", "acme.prices"], ["key", "new", "release", "-W"], ["key", "new", "other", "-W"]):
        assert run(words) == 0
    Path("sign.py").write_text(SIGN)


def command(key: str = "release", *more: str) -> str:
    seed = read_secret(Path(f"{key}.key").read_text(), None).seed
    return shlex.join([sys.executable, "sign.py", seed.hex(), *more])


def test_a_folder_is_published_without_a_secret_key_file(capsys: pytest.CaptureFixture[str]) -> None:
    signer = command()
    Path("release.key").unlink()
    publish = ["module", "publish", "acme.prices", "--registry", "shelf", "--key", "release.pub"]
    assert run([*publish, "--signer", signer]) == 0
    assert run(["module", "list", "--registry", "shelf", "--trusted", "release.pub"]) == 0
    assert "acme.prices" in capsys.readouterr().out
    for file in ("acme.prices-0.1.0.zip", "index.json"):
        assert minisign("-V", "-m", Path("shelf") / file, "-p", "release.pub").returncode == 0


def test_base64_is_as_good_and_sign_takes_a_signer_too() -> None:
    assert run(["module", "pack", "acme.prices"]) == 0
    bundle = "acme.prices-0.1.0.zip"
    assert run(["module", "sign", bundle, "--key", "release.pub", "--signer", command("release", "base64")]) == 0
    assert run(["module", "verify", bundle, "--trusted", "release.pub"]) == 0


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("raise SystemExit('the card is locked')", "ended with exit code 1: the card is locked"),
        ("print('untrusted comment: x')", "answered with a minisign file"),
        ("print('x' * 9)", "answered with 10 bytes"),
        ("import sys; sys.stdout.buffer.write(bytes(64))", "signed with another key than"),
    ],
)
def test_an_answer_that_is_none_is_refused_before_anything_is_written(
    program: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    signer = shlex.join([sys.executable, "-c", program])
    publish = ["module", "publish", "acme.prices", "--registry", "shelf", "--key", "release.pub"]
    assert run([*publish, "--signer", signer]) == 1
    assert told in capsys.readouterr().err
    assert not Path("shelf").exists()


def test_another_key_than_the_one_named_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    publish = ["module", "publish", "acme.prices", "--registry", "shelf", "--key", "release.pub"]
    assert run([*publish, "--signer", command("other")]) == 1
    assert "signed with another key than" in capsys.readouterr().err
    assert run([*publish, "--signer", "./nowhere"]) == 1
    assert "cannot be started" in capsys.readouterr().err
    assert run([*publish, "--signer", "'"]) == 2


def test_a_program_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pageworker_supervisor.cli.external_signer.SIGNER_SECONDS", 0.2)
    signer = open_signer(Path("release.pub"), None, f"{sys.executable} -c 'import time; time.sleep(60)'")
    assert isinstance(signer, ExternalSigner)
    with pytest.raises(CommandError, match=r"did not answer within 0\.2 s"):
        signer.sign(b"x")


def test_what_an_answer_may_be() -> None:
    raw = bytes(range(64))
    text = base64.b64encode(raw)
    assert signature_in(raw) == signature_in(text) == signature_in(text[:40] + b"\n" + text[40:] + b"\n") == raw
    for wrong in (b"", raw[:63], text[:-4], b"\xff" * 88):
        assert signature_in(wrong) is None
