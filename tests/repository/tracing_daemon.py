"""`python -m repository.tracing_daemon RECORD --config FILE`: the daemon, with a record of what it entered."""

import json
import sys
from pathlib import Path

from pageworker_supervisor.daemon import main
from repository.modules.traced.traced_job.recorder import Recorder

EVER = (0.0, float("inf"))

if __name__ == "__main__":
    record = Path(sys.argv.pop(1))
    windows_file = record.with_suffix(".windows")
    recorder = Recorder()
    sys.setprofile(recorder)
    try:
        main()
    finally:
        sys.setprofile(None)
        record.write_text(json.dumps(recorder.within(json.loads(windows_file.read_text()))))
