"""The trust store of one runner. tests/e2e/test_page_options.py has browsers that use it."""

import os
import sqlite3
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from pw_servers.certificates import Certificates

from pageworker_runner.browser import private_ca
from pageworker_runner.errors import StartError

# In a process of its own: NSS and the variable are of the whole process.
TRUST = """
import os, pathlib, sys
from pageworker_runner.browser.private_ca import NODE_CAS, trust
trust(pathlib.Path(sys.argv[1]).read_text(), pathlib.Path(sys.argv[2]))
print(os.environ[NODE_CAS])
"""


def test_both_stores_hold_every_certificate(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    authorities = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        authorities.append(Certificates.make(tmp_path / name).ca.read_text())
    (tmp_path / "both.pem").write_text("".join(authorities))
    command = [sys.executable, "-c", TRUST, str(tmp_path / "both.pem"), str(home)]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(home)})
    assert Path(told.stdout.strip()).read_text() == "".join(authorities)
    with closing(sqlite3.connect(home / ".pki/nssdb/cert9.db")) as database:
        # CKA_VALUE is attribute 0x11 (PKCS #11), and only certificates have it here.
        stored = {row[0] for row in database.execute("SELECT a11 FROM nssPublic WHERE a11 IS NOT NULL")}
    assert {ssl.PEM_cert_to_DER_cert(text) for text in authorities} <= stored


def test_a_host_without_the_library_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    monkeypatch.setenv(private_ca.NODE_CAS, "")
    with pytest.raises(StartError, match="install libnss3"):
        private_ca.trust("", tmp_path)
