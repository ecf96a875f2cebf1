// A picture that says which one it is. Its upper half is eight by four blocks, black or white, which any codec at any rate
// leaves standing: six bits name the stream, eighteen bits say when the picture was drawn, eight bits check the rest. The lower
// half is texture that moves, so that an encoder has something to do.

const COLUMNS = 8;
const ROWS = 4;
const STREAM_BITS = 6;
const NUMBER_BITS = 18;
const NUMBERS = 2 ** NUMBER_BITS;

// Pictures per second; also the unit of numbers.
export const RATE = 30;

// The number of a picture drawn at a time, in milliseconds of the machine's clock: all browsers of a machine agree on it.
export function numberAt(milliseconds) {
  return Math.floor((milliseconds * RATE) / 1000) % NUMBERS;
}

// How many milliseconds ago the picture of this number was drawn.
export function ageOf(number, milliseconds) {
  const behind = (numberAt(milliseconds) - number + NUMBERS) % NUMBERS;
  return Math.round(((behind > NUMBERS / 2 ? behind - NUMBERS : behind) * 1000) / RATE);
}

// Whether a number comes after another.
export function isAfter(number, other) {
  const ahead = (number - other + NUMBERS) % NUMBERS;
  return ahead > 0 && ahead < NUMBERS / 2;
}

// A black picture, which decoders show before the first, is not one of ours.
function check(word) {
  return ((Math.imul(word, 0x9e3779b1) >>> 24) & 0xff) ^ 0xa5;
}

// A track of pictures of this size, in pixels.
export class Picture {
  constructor({ stream, width, height }) {
    this.stream = stream;
    this.canvas = document.createElement('canvas');
    this.canvas.width = width;
    this.canvas.height = height;
    this.context = this.canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    this.texture = noise(width, height / 2);
    this.draw();
    const frames = this.canvas.captureStream(0);
    [this.track] = frames.getVideoTracks();
    // Firefox has it on the stream, as the standard's drafts once did.
    this.captured = this.track.requestFrame ? this.track : frames;
    this.timer = setInterval(() => this.next(), 1000 / RATE);
  }

  next() {
    this.draw();
    this.captured.requestFrame();
  }

  draw() {
    const { width, height } = this.canvas;
    const number = numberAt(Date.now());
    const word = (this.stream << NUMBER_BITS) | number;
    const bits = ((word << 8) | check(word)) >>> 0;
    const [wide, high] = [width / COLUMNS, height / 2 / ROWS];
    for (let n = 0; n < COLUMNS * ROWS; n += 1) {
      this.context.fillStyle = (bits >>> n) & 1 ? '#fff' : '#000';
      this.context.fillRect((n % COLUMNS) * wide, Math.floor(n / COLUMNS) * high, wide, high);
    }
    const shift = (number * 4) % width;
    this.context.drawImage(this.texture, -shift, height / 2);
    this.context.drawImage(this.texture, width - shift, height / 2);
  }

  stop() {
    clearInterval(this.timer);
    this.track.stop();
  }
}

// Soft random blotches: as hard to encode as a camera's picture, not as white noise.
function noise(width, height) {
  const [columns, rows] = [Math.ceil(width / 16), Math.ceil(height / 16)];
  const small = document.createElement('canvas');
  [small.width, small.height] = [columns, rows];
  const context = small.getContext('2d');
  const image = context.createImageData(columns, rows);
  let state = 1;
  for (let n = 0; n < image.data.length; n += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    image.data[n] = n % 4 === 3 ? 255 : state >>> 24;
  }
  context.putImageData(image, 0, 0);
  const large = document.createElement('canvas');
  [large.width, large.height] = [width, height];
  large.getContext('2d').drawImage(small, 0, 0, width, height);
  return large;
}

// Reads pictures back from what the browser shows, and keeps account of them.
export class Reader {
  constructor(track) {
    this.seen = { stream: null, first: null, latest: null, read: 0, unreadable: 0, backwards: 0, strangers: 0, oldest: 0 };
    this.small = document.createElement('canvas');
    [this.small.width, this.small.height] = [COLUMNS * 16, ROWS * 2 * 9];
    this.context = this.small.getContext('2d', { alpha: false, willReadFrequently: true });
    this.video = document.createElement('video');
    Object.assign(this.video, { muted: true, autoplay: true, playsInline: true, srcObject: new MediaStream([track]) });
    document.body.append(this.video);
    this.last = 0;
    this.video.requestVideoFrameCallback(() => this.shown());
  }

  // A new picture is on the screen. Ten a second are read, which a busy machine can bear; the first ones all.
  shown() {
    const now = Date.now();
    if (this.seen.read < 5 || now - this.last >= 95) {
      this.last = now;
      this.read(now);
    }
    this.video.requestVideoFrameCallback(() => this.shown());
  }

  read(now) {
    const { width, height } = this.small;
    this.context.drawImage(this.video, 0, 0, width, height);
    const { data } = this.context.getImageData(0, 0, width, height / 2);
    let bits = 0;
    for (let n = 0; n < COLUMNS * ROWS; n += 1) {
      const [x, y] = [(n % COLUMNS) * 16 + 8, Math.floor(n / COLUMNS) * 9 + 4];
      if (data[(y * width + x) * 4 + 1] > 127) bits = (bits | (1 << n)) >>> 0;
    }
    const word = bits >>> 8;
    const seen = this.seen;
    if ((bits & 0xff) !== check(word)) {
      seen.unreadable += 1;
      return;
    }
    const [stream, number] = [word >>> NUMBER_BITS, word % NUMBERS];
    const latest = { number, at: now, age: ageOf(number, now) };
    if (seen.latest && stream !== seen.stream) seen.strangers += 1;
    if (seen.latest && isAfter(seen.latest.number, number)) seen.backwards += 1;
    seen.stream = stream;
    seen.first ??= latest;
    seen.latest = latest;
    seen.read += 1;
    seen.oldest = Math.max(seen.oldest, latest.age);
  }

  report() {
    return { ...this.seen, width: this.video.videoWidth, height: this.video.videoHeight };
  }

  stop() {
    this.video.srcObject = null;
    this.video.remove();
  }
}
