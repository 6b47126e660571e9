"""Mail to people: an outbox of rows, and who sends them."""
