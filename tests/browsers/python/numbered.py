"""Pictures that say which one they are and tones, as page/numbered.js and page/tone.js have them, in nothing but Python."""

import array
import math
import os
import statistics
import struct
import sys
import time
import zlib

COLUMNS, ROWS, CODE_ROWS = 8, 12, 4
BITS = COLUMNS * CODE_ROWS
NUMBER_BITS = 18
NUMBERS = 1 << NUMBER_BITS
RATE = 30
AUDIO_RATE = 48000
# Size that pictures are scaled to before they are read: 16 by 8 pixels a block, of which the inner 8 by 4 are looked at.
READ_WIDTH, READ_HEIGHT = COLUMNS * 16, ROWS * 8
BLACK, GREY, WHITE = bytes([16]), bytes([128]), bytes([235])
# Pictures that could not be read are kept up to this many.
KEPT = 4


def number_at(seconds):
    return int(seconds * RATE) % NUMBERS


def check(word):
    return ((word * 0x9E3779B1) & 0xFFFFFFFF) >> 24 ^ 0xA5


def luma(stream, number, width, height):
    """The luma plane of a picture: blocks in its upper third, the same turned and inverted in its lower third, grey between."""
    word = (stream << NUMBER_BITS) | number
    bits = (word << 8) | check(word)
    wide, high = width // COLUMNS, height // ROWS
    whites = [bits >> n & 1 for n in range(BITS)]
    upper = [whites[at : at + COLUMNS] for at in range(0, BITS, COLUMNS)]
    lower = [[not white for white in reversed(row)] for row in reversed(upper)]
    above, below = (
        b"".join(b"".join((WHITE if white else BLACK) * wide for white in row) * high for row in part)
        for part in (upper, lower)
    )
    return above + GREY * (width * height - len(above) - len(below)) + below


def i420(stream, number, width, height):
    """A whole picture in planar YUV 4:2:0."""
    return luma(stream, number, width, height) + GREY * (width * height // 2)


def tone(frequency, samples, start):
    """Mono samples of 16 bits from the sample `start` on."""
    step = 2 * math.pi * frequency / AUDIO_RATE
    return array.array(
        "h", (int(13000 * math.sin(step * (start + n))) for n in range(samples))
    )


def brightness(grey, stride, column, row):
    """The mean of a block's inner quarter."""
    left, top = column * 16 + 4, row * 8 + 2
    rows = (grey[y * stride + left : y * stride + left + 8] for y in range(top, top + 4))
    return sum(sum(part) for part in rows) / 32


class Reader:
    """Reads grey pictures of READ_WIDTH by READ_HEIGHT, and keeps account of them."""

    def __init__(self):
        self.stream = None
        self.latest = None
        self.read = self.unreadable = self.backwards = 0
        self.faults = []

    def picture(self, grey, stride):
        upper = lower = 0
        for n in range(BITS):
            column, row = n % COLUMNS, n // COLUMNS
            upper |= (brightness(grey, stride, column, row) > 127) << n
            lower |= (brightness(grey, stride, COLUMNS - 1 - column, ROWS - 1 - row) <= 127) << n
        word = upper >> 8
        if upper != lower or upper & 0xFF != check(word):
            self.unreadable += 1
            self.keep(upper, lower, grey, stride)
            return
        stream, number = word >> NUMBER_BITS, word % NUMBERS
        if self.latest is not None and 0 < (self.latest - number) % NUMBERS < NUMBERS // 2:
            self.backwards += 1
        self.stream, self.latest = stream, number
        self.read += 1

    def keep(self, upper, lower, grey, stride):
        if len(self.faults) >= KEPT:
            return
        self.faults.append({"after": self.read, "upper": upper, "lower": lower})
        folder = os.environ.get("ARTEFACTS")
        if folder:
            name = f"unreadable-{os.getpid()}-{len(self.faults)}.png"
            with open(os.path.join(folder, name), "wb") as file:
                file.write(png(grey, stride))

    def report(self):
        return {
            "stream": self.stream,
            "read": self.read,
            "unreadable": self.unreadable,
            "backwards": self.backwards,
            "faults": self.faults,
        }


def png(grey, stride):
    """A grey picture of READ_WIDTH by READ_HEIGHT as a file (PNG, ISO/IEC 15948)."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + grey[y * stride : y * stride + READ_WIDTH] for y in range(READ_HEIGHT))
    head = struct.pack(">IIBBBBB", READ_WIDTH, READ_HEIGHT, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


class Ear:
    """Measures the frequency of a tone, in tenths of a second: the median of the last twenty, so that one where sound was
    concealed does not count."""

    LISTENS, TENTHS = AUDIO_RATE // 10, 20

    def __init__(self):
        self.samples = array.array("h")

    def hear(self, samples):
        self.samples.extend(samples)
        del self.samples[: max(0, len(self.samples) - self.TENTHS * self.LISTENS)]

    def frequency(self):
        starts = range(0, len(self.samples) - self.LISTENS + 1, self.LISTENS)
        tenths = [crossings(self.samples[at : at + self.LISTENS]) for at in starts]
        return statistics.median(tenths) if tenths else 0.0


def crossings(samples):
    """The frequency of a tone by its crossings of zero."""
    rising = [n for n in range(1, len(samples)) if samples[n - 1] < 0 <= samples[n]]
    if len(rising) < 2:
        return 0.0
    return (len(rising) - 1) * AUDIO_RATE / (rising[-1] - rising[0])


def overruns():
    """Datagrams that the kernel has dropped in this namespace because their socket was full: its reader was late."""
    with open("/proc/self/net/snmp") as file:
        names, values = (line.split() for line in file if line.startswith("Udp:"))
    return int(dict(zip(names, values))["RcvbufErrors"])


def stream_raw(stream, width, height):
    """Writes pictures to standard output in real time, for ffmpeg, until nobody reads them."""
    start, count = time.monotonic(), 0
    try:
        while True:
            number = number_at(time.time())
            sys.stdout.buffer.write(i420(stream, number, width, height))
            sys.stdout.buffer.flush()
            count += 1
            time.sleep(max(0.0, start + count / RATE - time.monotonic()))
    except BrokenPipeError:
        pass


if __name__ == "__main__":
    stream_raw(*map(int, sys.argv[1:4]))
