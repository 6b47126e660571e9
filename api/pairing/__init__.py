"""How a new bridge gets into an organization."""
