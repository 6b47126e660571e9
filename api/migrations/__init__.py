"""Database migrations, applied by one command."""
