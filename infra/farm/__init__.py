"""The local farm: API, bridge and simulated printers on one machine, from one command."""
