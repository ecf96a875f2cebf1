"""A peer made of GStreamer's webrtcbin: `gstreamer_peer.py publish|play URL STREAM SECONDS [TOKEN]`.

As aiortc_peer.py. It sends VP8 and Opus.
"""

import json
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

import numbered
import whip

WIDTH, HEIGHT = 640, 360
VIDEO = "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000"
AUDIO = "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000,encoding-params=(string)2"

PUBLISH = f"""
    webrtcbin name=peer bundle-policy=max-bundle
    appsrc name=pictures is-live=true format=time do-timestamp=true
        caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={numbered.RATE}/1
      ! queue ! vp8enc deadline=1 keyframe-max-dist=300 target-bitrate=800000 cpu-used=8 ! rtpvp8pay pt=96 ! {VIDEO} ! peer.
    audiotestsrc is-live=true freq=%d volume=0.4 ! audio/x-raw,rate=48000,channels=2
      ! opusenc ! rtpopuspay pt=111 ! {AUDIO} ! peer.
"""


class Peer:
    def __init__(self, role, url, stream, token):
        self.role, self.stream = role, int(stream)
        self.resource = whip.Resource(url, token)
        self.reader, self.ear = numbered.Reader(), numbered.Ear()
        self.overruns = numbered.overruns()
        if role == "publish":
            self.pipeline = Gst.parse_launch(PUBLISH % (440 + 75 * self.stream))
        else:
            # Of one element alone, parse_launch makes no pipeline.
            self.pipeline = Gst.Pipeline()
            peer = Gst.ElementFactory.make("webrtcbin", "peer")
            peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
            self.pipeline.add(peer)
        self.webrtc = self.pipeline.get_by_name("peer")
        self.webrtc.connect("on-negotiation-needed", self.on_negotiation_needed)
        self.webrtc.connect("notify::ice-gathering-state", self.on_gathering)
        self.webrtc.connect("pad-added", self.on_pad)
        self.asked = False
        if role == "play":
            for caps in (AUDIO, VIDEO):
                self.webrtc.emit(
                    "add-transceiver",
                    GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
                    Gst.Caps.from_string(caps),
                )

    def start(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        if self.role == "publish":
            threading.Thread(target=self.draw, daemon=True).start()

    def draw(self):
        source, start, count = self.pipeline.get_by_name("pictures"), time.monotonic(), 0
        while True:
            number = numbered.number_at(time.time())
            buffer = Gst.Buffer.new_wrapped(numbered.i420(self.stream, number, WIDTH, HEIGHT))
            if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return
            count += 1
            time.sleep(max(0.0, start + count / numbered.RATE - time.monotonic()))

    def on_negotiation_needed(self, webrtc):
        webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer, None))

    def on_offer(self, promise, _):
        reply = promise.get_reply()
        offer = reply["offer"]
        self.webrtc.emit("set-local-description", offer, Gst.Promise.new())

    def on_gathering(self, webrtc, _):
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if webrtc.get_property("ice-gathering-state") == complete and not self.asked:
            self.asked = True
            threading.Thread(target=self.ask, daemon=True).start()

    def ask(self):
        local = self.webrtc.get_property("local-description")
        text = self.resource.offer(local.sdp.as_text())
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.webrtc.emit("set-remote-description", answer, Gst.Promise.new())

    def on_pad(self, _, pad):
        if pad.direction != Gst.PadDirection.SRC:
            return
        media = pad.get_current_caps().get_structure(0).get_string("media")
        if media == "video":
            size = f"width={numbered.READ_WIDTH},height={numbered.READ_HEIGHT}"
            chain = f"rtpvp8depay ! vp8dec ! videoconvert ! videoscale ! video/x-raw,format=GRAY8,{size}"
        else:
            chain = "rtpopusdepay ! opusdec ! audioconvert ! audio/x-raw,format=S16LE,channels=1"
        text = f"queue ! {chain} ! appsink name=out emit-signals=true sync=false"
        tail = Gst.parse_bin_from_description(text, True)
        tail.get_by_name("out").connect("new-sample", self.on_picture if media == "video" else self.on_sound)
        self.pipeline.add(tail)
        tail.sync_state_with_parent()
        pad.link(tail.get_static_pad("sink"))

    def on_picture(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        self.reader.picture(buffer.extract_dup(0, buffer.get_size()), numbered.READ_WIDTH)
        return Gst.FlowReturn.OK

    def on_sound(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        self.ear.hear(memoryview(buffer.extract_dup(0, buffer.get_size())).cast("h"))
        return Gst.FlowReturn.OK

    def finish(self):
        state = self.webrtc.get_property("connection-state").value_nick
        self.resource.leave()
        self.pipeline.set_state(Gst.State.NULL)
        late = numbered.overruns() - self.overruns
        print(json.dumps({"state": state, **self.reader.report(), "frequency": self.ear.frequency(), "overruns": late}))


def main(role, url, stream, seconds, token=None):
    Gst.init(None)
    loop = GLib.MainLoop()
    peer = Peer(role, url, stream, token)
    peer.start()
    GLib.timeout_add(int(float(seconds) * 1000), loop.quit)
    loop.run()
    peer.finish()


main(*sys.argv[1:])
