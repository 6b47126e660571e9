"""Who did what: the audit trail as people read it."""
