"""What printers are told: issued once, followed to the outcome."""
