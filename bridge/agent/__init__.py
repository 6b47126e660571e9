"""The agent: the only part of the bridge that knows the network (DESIGN section 1)."""

VERSION = "0.1.0"
