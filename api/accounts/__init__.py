"""Organizations, people, sessions, tokens and keys."""
