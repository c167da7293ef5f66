"""Plays the script of messages with Python's websockets against an echo server.

Prints what was done; any difference from what is expected is an exception.
"""

import asyncio
import os
import sys

import websockets


async def echo(ws, message):
    await ws.send(message)
    answer = await ws.recv()
    assert type(answer) is type(message), (type(message), type(answer))
    assert answer == message, f"{len(message)} sent, {len(answer)} came back, or others"


async def main(url):
    async with websockets.connect(url, max_size=None, compression=None) as ws:
        await echo(ws, "Hello, wörld \U0001F600")
        await echo(ws, "")
        await echo(ws, b"")
        for size in (1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20):
            await echo(ws, os.urandom(size))
        await ws.send(["frag", "", "ment", "ed \u20ac"])
        assert await ws.recv() == "fragmented €"
        await ws.send([b"\x00", b"\xff" * 70000, b""])
        assert await ws.recv() == b"\x00" + b"\xff" * 70000
        pong = await ws.ping(b"are you there?")
        await asyncio.wait_for(pong, 10)
        for i in range(2000):
            await ws.send(str(i))
        for i in range(2000):
            assert await ws.recv() == str(i)
        await ws.close(4321, "enough")
        assert ws.close_code == 4321, ws.close_code

    async with websockets.connect(url) as ws:  # offers permessage-deflate
        assert not ws.extensions, ws.extensions
        await ws.send("Bye")
        try:
            await ws.recv()
            raise AssertionError("an answer to bye")
        except websockets.ConnectionClosedOK as closed:
            assert closed.code == 1000, closed.code

    print("text, binary, empty, 16 MiB, fragments, ping, 2000 at once, close 4321 and 1000")


asyncio.run(main(sys.argv[1]))
