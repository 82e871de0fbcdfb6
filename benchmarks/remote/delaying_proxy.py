"""A TCP proxy that holds up what passes, in each direction by a delay of its own.

`python -m benchmarks.remote.delaying_proxy PORT TO_HOST:TO_PORT THERE_S BACK_S` says when it listens.
"""

import asyncio
import sys
from contextlib import suppress


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    loop, waiting = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()

    async def deliver() -> None:
        while True:
            due_s, piece = await waiting.get()
            await asyncio.sleep(due_s - loop.time())
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
        writer.close()

    delivery = asyncio.ensure_future(deliver())
    with suppress(ConnectionError):
        while piece := await reader.read(2**16):
            waiting.put_nowait((loop.time() + delay_s, piece))
    waiting.put_nowait((loop.time() + delay_s, b""))
    with suppress(ConnectionError):
        await delivery


async def serve(port: int, to_host: str, to_port: int, there_s: float, back_s: float) -> None:
    """Pass what comes to *port* of this machine's loopback on to *to_host*, and answers back."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(to_host, to_port)
        except ConnectionError:
            writer.close()
            return
        await asyncio.gather(_carry(reader, far_writer, there_s), _carry(far_reader, writer, back_s))

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    host, _, number = sys.argv[2].rpartition(":")
    asyncio.run(serve(int(sys.argv[1]), host, int(number), float(sys.argv[3]), float(sys.argv[4])))
