"""Every private part of Playwright that pageworker uses. No file outside this package uses one.

What the public interface does not offer is read, reset or replaced here: in Playwright's client (the Python package)
and in the files of its driver. A release of Playwright may change any of it. So only the tested releases are accepted.
`private_names` is the table of all names, and `name_check` looks for each of them at the start of a runner.
"""
