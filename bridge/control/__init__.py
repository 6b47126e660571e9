"""The contract between agent and sender: messages, framing, lock and adoption."""
