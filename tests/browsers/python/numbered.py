"""Pictures that say which one they are and tones, as page/picture.js and page/tone.js have them, in nothing but Python."""

import array
import math
import sys
import time

COLUMNS, ROWS = 8, 4
NUMBER_BITS = 18
RATE = 30
AUDIO_RATE = 48000
# Size that pictures are scaled to before they are read.
READ_WIDTH, READ_HEIGHT = COLUMNS * 16, ROWS * 2 * 9
BLACK, GREY, WHITE = bytes([16]), bytes([128]), bytes([235])


def number_at(seconds):
    return int(seconds * RATE) % (1 << NUMBER_BITS)


def check(word):
    return ((word * 0x9E3779B1) & 0xFFFFFFFF) >> 24 ^ 0xA5


def luma(stream, number, width, height):
    """The luma plane of a picture: blocks in its upper half, grey below."""
    word = (stream << NUMBER_BITS) | number
    bits = (word << 8) | check(word)
    wide, high = width // COLUMNS, height // 2 // ROWS
    rows = []
    for row in range(ROWS):
        line = b"".join(
            (WHITE if bits >> (row * COLUMNS + column) & 1 else BLACK) * wide
            for column in range(COLUMNS)
        )
        rows.append(line * high)
    upper = b"".join(rows)
    return upper + GREY * (width * height - len(upper))


def i420(stream, number, width, height):
    """A whole picture in planar YUV 4:2:0."""
    return luma(stream, number, width, height) + GREY * (width * height // 2)


def tone(frequency, samples, start):
    """Mono samples of 16 bits from the sample `start` on."""
    step = 2 * math.pi * frequency / AUDIO_RATE
    return array.array(
        "h", (int(13000 * math.sin(step * (start + n))) for n in range(samples))
    )


class Reader:
    """Reads grey pictures of READ_WIDTH by READ_HEIGHT, and keeps account of them."""

    def __init__(self):
        self.stream = None
        self.latest = None
        self.read = self.unreadable = self.backwards = 0

    def picture(self, grey, stride):
        bits = 0
        for n in range(COLUMNS * ROWS):
            x, y = (n % COLUMNS) * 16 + 8, (n // COLUMNS) * 9 + 4
            if grey[y * stride + x] > 127:
                bits |= 1 << n
        word = bits >> 8
        if bits & 0xFF != check(word):
            self.unreadable += 1
            return
        stream, number = word >> NUMBER_BITS, word & ((1 << NUMBER_BITS) - 1)
        if self.latest is not None and number < self.latest:
            self.backwards += 1
        self.stream, self.latest = stream, number
        self.read += 1

    def report(self):
        return {
            "stream": self.stream,
            "read": self.read,
            "unreadable": self.unreadable,
            "backwards": self.backwards,
        }


class Ear:
    """Measures the frequency of a tone by the crossings of zero in the last half second."""

    def __init__(self):
        self.samples = array.array("h")

    def hear(self, samples):
        self.samples.extend(samples)
        del self.samples[: max(0, len(self.samples) - AUDIO_RATE // 2)]

    def frequency(self):
        rising = [
            n
            for n in range(1, len(self.samples))
            if self.samples[n - 1] < 0 <= self.samples[n]
        ]
        if len(rising) < 2:
            return 0.0
        return (len(rising) - 1) * AUDIO_RATE / (rising[-1] - rising[0])


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
