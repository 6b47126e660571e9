"""What printers report: current state in memory, thinned in rows."""
