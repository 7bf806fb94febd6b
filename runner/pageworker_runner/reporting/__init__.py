"""What leaves a runner: results, artifacts and log lines, bounded and free of host paths."""
