"""Printer rooms: their identity, their ports, their link."""
