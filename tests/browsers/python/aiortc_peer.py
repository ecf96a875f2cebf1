"""A peer made of aiortc: `aiortc_peer.py publish|play URL STREAM SECONDS [TOKEN]`.

Publishes the numbered picture and the tone of a stream, or plays whatever comes, for so many seconds. At its end it prints what
it saw and heard, as a line of JSON. With H264 in its environment it sends or takes no other codec, and asks for a channel of data
beside.
"""

import asyncio
import json
import os
import sys
import time
from fractions import Fraction

import av
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

import numbered
import whip

WIDTH, HEIGHT = 640, 360


class Paced(MediaStreamTrack):
    """A track whose frames come at even intervals."""

    def __init__(self, rate, step):
        super().__init__()
        self.rate, self.step, self.count, self.start = rate, step, 0, None

    async def next_time(self):
        self.start = self.start or time.monotonic()
        at = self.count * self.step
        self.count += 1
        await asyncio.sleep(max(0.0, self.start + at / self.rate - time.monotonic()))
        return at


class Picture(Paced):
    kind = "video"

    def __init__(self, stream):
        super().__init__(90000, 90000 // numbered.RATE)
        self.stream = stream

    async def recv(self):
        pts = await self.next_time()
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        number = numbered.number_at(time.time())
        frame.planes[0].update(numbered.luma(self.stream, number, WIDTH, HEIGHT))
        for plane in frame.planes[1:]:
            plane.update(numbered.GREY * plane.buffer_size)
        frame.pts, frame.time_base = pts, Fraction(1, 90000)
        return frame


class Tone(Paced):
    kind = "audio"

    def __init__(self, frequency):
        super().__init__(numbered.AUDIO_RATE, numbered.AUDIO_RATE // 50)
        self.frequency = frequency

    async def recv(self):
        pts = await self.next_time()
        frame = av.AudioFrame(format="s16", layout="mono", samples=self.step)
        frame.planes[0].update(numbered.tone(self.frequency, self.step, pts).tobytes())
        frame.pts, frame.sample_rate = pts, self.rate
        frame.time_base = Fraction(1, self.rate)
        return frame


async def watch(track, reader):
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        small = frame.reformat(numbered.READ_WIDTH, numbered.READ_HEIGHT, "gray")
        reader.picture(bytes(small.planes[0]), small.planes[0].line_size)


async def listen(track, ear):
    mono = av.AudioResampler(format="s16", layout="mono", rate=numbered.AUDIO_RATE)
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        for part in mono.resample(frame):
            ear.hear(memoryview(bytes(part.planes[0])[: part.samples * 2]).cast("h"))


async def main(role, url, stream, seconds, token=None):
    connection, reader, ear, tasks = RTCPeerConnection(), numbered.Reader(), numbered.Ear(), []
    overruns = numbered.overruns()
    if role == "publish":
        connection.addTrack(Tone(440 + 75 * int(stream)))
        connection.addTrack(Picture(int(stream)))
    else:
        connection.addTransceiver("audio", direction="recvonly")
        connection.addTransceiver("video", direction="recvonly")

        @connection.on("track")
        def on_track(track):
            work = watch(track, reader) if track.kind == "video" else listen(track, ear)
            tasks.append(asyncio.ensure_future(work))

    if "H264" in os.environ:
        codecs = RTCRtpSender.getCapabilities("video").codecs
        wanted = [codec for codec in codecs if codec.mimeType in ("video/H264", "video/rtx")]
        for transceiver in connection.getTransceivers():
            if transceiver.kind == "video":
                transceiver.setCodecPreferences(wanted)
        connection.createDataChannel("chat")
    await connection.setLocalDescription(await connection.createOffer())
    resource = whip.Resource(url, token)
    # All calls of the loop go on while the answer is waited for.
    answer = await asyncio.to_thread(resource.offer, connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(float(seconds))
    state = connection.connectionState
    await asyncio.to_thread(resource.leave)
    await connection.close()
    late = numbered.overruns() - overruns
    print(json.dumps({"state": state, **reader.report(), "frequency": ear.frequency(), "overruns": late}))


asyncio.run(main(*sys.argv[1:]))
