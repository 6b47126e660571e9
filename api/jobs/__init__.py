"""Jobs, prints and attempts."""
