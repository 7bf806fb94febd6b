"""The operator's endpoints over TCP, and the control socket of `workerctl`."""
