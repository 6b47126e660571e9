"""A simulated printer: a firmware model that behaves like Marlin 2.1 on the wire.

It is the other side of everything in `bridge.gcode`, `bridge.serial` and `bridge.sender`, so it
shares no code with them: a common parser would hide a common mistake. `firmware` is the pure model,
`process` puts it behind a pseudo-terminal, `virtual` reads `virtual://` addresses.
"""
