"""A call that is said twice is carried out once: Idempotency-Key."""
