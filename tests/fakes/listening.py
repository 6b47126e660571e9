"""The end of a listening socket, for the servers that tests put between real processes."""

import asyncio


async def closed(server: asyncio.Server) -> None:
    """Take nobody any more, and close *server*; who was let in is served.

    Python 3.11 loses a connection that is accepted in the very turn in which its server closes: it
    stays open, and nobody has it. So the server stops to accept some turns before.
    """
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    await asyncio.sleep(0.05)
    server.close()
