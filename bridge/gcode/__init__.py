"""The serial G-code protocol without I/O and without a clock: `now` is always passed in.

`lines` makes bytes, `replies` understands them, `outgoing` numbers and remembers, `stream` keeps
lines in flight and recovers, `greeting` gets a firmware to talk, `job` runs one attempt, `printer`
is the front door that a sender drives.
"""
