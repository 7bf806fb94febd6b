"""Several signatures of one bundle, as their owners and a publisher make them."""

import json
from pathlib import Path

import pytest
from pw_modules.author import packed

from pageworker_sandbox.signing import SecretKey, write_secret
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.output import CommandExit

BUNDLE = "shop.product-1.4.2.zip"
KEYS = {name: SecretKey.new() for name in ("alice", "bob", "release")}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alice and Bob must both sign. The release key signs the index."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))
    trust = ""
    for name, key in KEYS.items():
        Path(f"{name}.key").write_text(write_secret(key, None))
        trust += (
            f'[[key]]\nname = "{name}"\nkey = "{key.public.line()}"\nmay_index = {str(name == "release").lower()}\n'
        )
    Path("trust.toml").write_text(f'{trust}[[scope]]\nmodules = ["shop.*"]\nsignatures = 2\nkeys = ["alice", "bob"]\n')
    Path("worker.toml").write_text('[modules]\nregistry = "shelf"\ntrust = "trust.toml"\n')
    Path(BUNDLE).write_bytes(packed().data)


def test_two_owners_sign_and_a_publisher_publishes(capsys: pytest.CaptureFixture[str]) -> None:
    verify = ["module", "verify", BUNDLE, "--config", "worker.toml"]
    publish = ["module", "publish", BUNDLE, "--config", "worker.toml", "--key"]
    assert run(["module", "sign", BUNDLE, "--key", "alice.key"]) == 0
    for refused in (verify, [*publish, "release.key"]):
        assert run(refused) == CommandExit.REFUSED
        assert "needs signatures by 2 keys of" in capsys.readouterr().err
    assert run(["module", "sign", BUNDLE, "--key", "alice.key", "--more"]) == CommandExit.FAILED
    assert "Sign with another key." in capsys.readouterr().err
    assert run(["module", "sign", BUNDLE, "--key", "bob.key", "--more"]) == 0
    assert Path(f"{BUNDLE}.minisig.1").is_file()
    capsys.readouterr()
    assert run([*verify, "--json"]) == 0
    signers = json.loads(capsys.readouterr().out)["signers"]
    assert [signer["label"] for signer in signers] == ["alice", "bob"]
    assert run(verify) == 0
    assert "(bob): modules *; tenants *; channels *" in capsys.readouterr().out
    assert run([*publish, "alice.key"]) == CommandExit.REFUSED
    assert "may sign modules only" in capsys.readouterr().err
    assert run([*publish, "release.key"]) == 0
    assert Path(f"shelf/{BUNDLE}.minisig.1").is_file()
    set_channel = ["module", "channel", "set", "shop.product", "canary", "1.4.2", "--config", "worker.toml", "--key"]
    assert run([*set_channel, "release.key"]) == 0
    capsys.readouterr()


def test_signing_anew_drops_the_signatures_of_before() -> None:
    assert run(["module", "sign", BUNDLE, "--key", "alice.key"]) == 0
    assert run(["module", "sign", BUNDLE, "--key", "bob.key", "--more"]) == 0
    assert run(["module", "sign", BUNDLE, "--key", "bob.key"]) == 0
    assert not Path(f"{BUNDLE}.minisig.1").exists()
