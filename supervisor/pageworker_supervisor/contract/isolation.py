"""With which other jobs of its tenant a job may share a runner: values of its `ContextKey`."""

from msgspec import Struct


class Isolation(Struct, frozen=True):
    """Beside the hosts, options and the other values of the key, which always have to be equal.

    `group`: with jobs of modules that name the same group; "" is the group of those that name none. `module`: with jobs
    of this module alone, in any version; "" for no such limit. `one_job`: with none. Its runner runs one job and ends.
    """

    group: str = ""
    module: str = ""
    one_job: bool = False


TENANT_ISOLATION = Isolation()
"""With all jobs of the tenant."""
