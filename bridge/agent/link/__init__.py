"""The agent's end of the room link: backoff, what crosses a connection, the client."""
