"""Pools: printers that share one queue and one address."""
