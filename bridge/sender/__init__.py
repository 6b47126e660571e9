"""One process, one printer: it owns the port, the protocol and the open job file.

No network, no database, no threads, no event loop but one `poll`. It goes on printing when its
agent dies and is adopted by the next one (DESIGN sections 1 and 7, Agent and sender).
"""
