"""Files held against printers before they are sent there: findings, and fixes on request."""
