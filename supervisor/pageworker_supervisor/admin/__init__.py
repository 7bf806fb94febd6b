"""The worker's HTTP endpoints: for operators and probes over TCP, for `workerctl` over the control socket."""
