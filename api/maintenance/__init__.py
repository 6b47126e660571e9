"""Maintenance of printers: tasks, when they are due, what was done."""
