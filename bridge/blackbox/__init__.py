"""What was said on a printer's cable: recorded print by print, shown, and replayed.

`records` is the format, `reader` reads it, `replay` drives a simulated printer with it.
"""
