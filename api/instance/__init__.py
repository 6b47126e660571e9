"""What a user interface asks at its start: of this server as a whole, not of what it prints."""
