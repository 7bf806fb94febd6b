"""The section `[ingress]`: which ways in workers read."""

from pageworker_supervisor.config.section import Section


class IngressSettings(Section, frozen=True):
    """Ways in for jobs (docs/tenants.md). All workers of one Redis need the same values."""

    tenant_inboxes: bool = False
    """Whether workers also read `pw:inbox:<tenant>` and `pw:jobs:<tenant>` of each tenant that `[tenants]` names
    without a glob. A job in them that names another tenant is rejected."""
    require_origin: bool = False
    """Whether `pw:inbox` and `pw:jobs` are closed: what is pushed there becomes a dead letter. Workers then read the
    inboxes of the tenants, whatever `tenant_inboxes` says."""

    @property
    def per_tenant(self) -> bool:
        """Whether the inboxes of tenants are read."""
        return self.tenant_inboxes or self.require_origin
