"""Notifications on people's own devices: browsers by Web Push, phones as far as they are known."""
