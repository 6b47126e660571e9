"""What happened, numbered per organization and written with the change itself."""
