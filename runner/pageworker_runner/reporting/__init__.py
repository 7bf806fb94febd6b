"""What a runner sends to the supervisor: results, log lines, artifacts, error texts."""
