"""The page that is measured is a page as sites have it, and its program ends with its owner."""

import re
import subprocess
import sys
import urllib.request

from pageworker_supervisor.sizing.site import PICTURES, PRODUCTS, contents, page


def test_everything_that_the_page_names_is_served() -> None:
    found = contents()
    named = set(re.findall(r'(?:src|href)="([^"]+)"', page()))
    assert len(named) == PICTURES + 3
    assert named <= set(found)
    assert page().count("<article") == PRODUCTS
    assert sum(len(body) for body, _ in found.values()) > 60_000


def test_the_program_serves_until_its_stdin_ends() -> None:
    command = [sys.executable, "-m", "pageworker_supervisor.sizing.site"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port = int(process.stdout.readline())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            assert answer.read() == page().encode()
        process.stdin.close()
        assert process.wait(20) == 0
