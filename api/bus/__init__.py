"""Wake-ups and live pictures between replicas; losing one costs time, never data."""
