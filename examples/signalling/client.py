"""A participant without a browser: publishes a moving picture and a tone, receives everybody else, says what it got.

It speaks the messages of README.md, with aiortc for the media.
"""

import argparse
import asyncio
import fractions
import itertools
import json
import math

import av
import numpy
from aiohttp import ClientSession, WSMsgType
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack

RATE = 48000
TONE = 440
BLOCK = RATE // 50


class Picture(VideoStreamTrack):
    """A bar that moves: 320 x 240, 30 pictures per second."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        picture = numpy.full((240, 320, 3), 40, dtype=numpy.uint8)
        at = (pts // 3000 * 4) % 300
        picture[:, at : at + 20] = (255, 200, 0)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(AudioStreamTrack):
    """A sine of 440 Hz."""

    def __init__(self):
        super().__init__()
        self.sent = 0
        self.began = None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.began = self.began or loop.time()
        await asyncio.sleep(max(0, self.began + self.sent / RATE - loop.time()))
        at = (numpy.arange(BLOCK) + self.sent) * (2 * math.pi * TONE / RATE)
        samples = (numpy.sin(at) * 8000).astype(numpy.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.sent, fractions.Fraction(1, RATE)
        self.sent += BLOCK
        return frame


class Participant:
    """One WebSocket and one peer connection."""

    def __init__(self, socket):
        self.socket = socket
        # The forwarder has the addresses; no server is asked for ours.
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.received = {"audio": 0, "video": 0}
        self.readers = []
        self.ids = itertools.count(1)
        self.peer.on("track", self.take)

    def take(self, track):
        self.readers.append(asyncio.create_task(self.count(track)))

    async def count(self, track):
        try:
            while True:
                await track.recv()
                self.received[track.kind] += 1
        except MediaStreamError:
            pass

    async def send(self, **message):
        message["id"] = next(self.ids)
        await self.socket.send_json(message)
        return message["id"]

    async def join(self, room, name, publish):
        if publish:
            self.peer.addTrack(Tone())
            self.peer.addTrack(Picture())
        else:
            self.peer.addTransceiver("audio", direction="recvonly")
            self.peer.addTransceiver("video", direction="recvonly")
        await self.peer.setLocalDescription(await self.peer.createOffer())
        await self.send(type="join", room=room, name=name, sdp=self.peer.localDescription.sdp)
        answer = await self.socket.receive_json(timeout=10)
        if answer["type"] == "error":
            raise SystemExit(f"refused: {json.dumps(answer['problem'])}")
        await self.peer.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        return answer["session"]

    async def listen(self):
        async for message in self.socket:
            if message.type is not WSMsgType.TEXT:
                break
            message = json.loads(message.data)
            if message["type"] == "offer":
                await self.peer.setRemoteDescription(RTCSessionDescription(message["sdp"], "offer"))
                await self.peer.setLocalDescription(await self.peer.createAnswer())
                await self.send(type="answer", sdp=self.peer.localDescription.sdp, version=message["version"])
            elif message["type"] == "error":
                raise SystemExit(f"refused: {json.dumps(message['problem'])}")


async def run(arguments):
    async with ClientSession() as http, http.ws_connect(arguments.url) as socket:
        participant = Participant(socket)
        session = await participant.join(arguments.room, arguments.name, not arguments.watch)
        listening = asyncio.create_task(participant.listen())
        try:
            await asyncio.wait([listening], timeout=arguments.seconds)
            if listening.done():
                listening.result()
        finally:
            listening.cancel()
            await participant.peer.close()
    print(json.dumps({"session": session, "name": arguments.name, **participant.received}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="ws://127.0.0.1:8080/ws", help="the signalling service (default: %(default)s)")
    parser.add_argument("--room", default="demo", help="the room (default: %(default)s)")
    parser.add_argument("--name", default="aiortc", help="what the others see (default: %(default)s)")
    parser.add_argument("--watch", action="store_true", help="receive only")
    parser.add_argument("--seconds", type=float, default=10, help="how long to stay (default: %(default)s)")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
