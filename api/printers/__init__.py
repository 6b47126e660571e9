"""Printers, their profiles, plates and queues' holds."""
