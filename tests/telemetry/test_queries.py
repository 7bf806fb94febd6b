"""The queries of docs/metrics.md are such that Prometheus accepts them."""

import re
import subprocess
from pathlib import Path

import msgspec

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
QUERY = re.compile(r"^\| [^|]*\? \| `([^`]+)`", re.MULTILINE)


def test_prometheus_accepts_the_queries(tmp_path: Path) -> None:
    queries = QUERY.findall(PAGE.read_text())
    assert len(queries) > 15
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "rules.yml"
    # JSON is YAML.
    file.write_bytes(msgspec.json.encode({"groups": [{"name": "queries", "rules": rules}]}))
    command = ["promtool", "check", "rules", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert checked.returncode == 0, checked.stderr
    assert f"{len(queries)} rules found" in checked.stdout
