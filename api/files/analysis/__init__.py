"""What reading a whole file tells: its motion, its extent, its filament; and binary G-code.

Runs in a process of its own, never in that of the API (`worker`); the other modules here are pure.
"""
