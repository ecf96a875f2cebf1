// Pictures that come: read back from what the browser shows, and accounted for.

import { COLUMNS, ROWS, ageOf, isAfter, read } from './numbered.js';

// Pictures that could not be read are kept up to this many.
const KEPT = 4;

export class Reader {
  constructor(track) {
    this.seen = { stream: null, first: null, latest: null, read: 0, unreadable: 0, backwards: 0, strangers: 0, oldest: 0, faults: [] };
    this.damaged = [];
    this.small = canvas(COLUMNS * 16, ROWS * 8);
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
    const { seen, video, small } = this;
    // The callback of the first picture may come before the element has data, and such an element draws nothing, without a word
    // (HTML, "check the usability of the image argument").
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
    const { code, ...found } = read(draw(video, small));
    if (!code) {
      seen.unreadable += 1;
      this.keep({ after: seen.read, ...found, width: video.videoWidth, height: video.videoHeight });
      return;
    }
    const { stream, number } = code;
    const latest = { number, at: now, age: ageOf(number, now) };
    if (seen.latest && stream !== seen.stream) seen.strangers += 1;
    if (seen.latest && isAfter(seen.latest.number, number)) seen.backwards += 1;
    seen.stream = stream;
    seen.first ??= latest;
    seen.latest = latest;
    seen.read += 1;
    seen.oldest = Math.max(seen.oldest, latest.age);
  }

  // Keeps what could not be read, as it was read and in its own size.
  keep(fault) {
    if (this.seen.faults.length >= KEPT) return;
    this.seen.faults.push(fault);
    const whole = canvas(fault.width, fault.height);
    draw(this.video, whole);
    this.damaged.push(this.small.toDataURL(), whole.toDataURL());
  }

  report() {
    return { ...this.seen, width: this.video.videoWidth, height: this.video.videoHeight };
  }

  stop() {
    this.video.srcObject = null;
    this.video.remove();
  }
}

function canvas(width, height) {
  return Object.assign(document.createElement('canvas'), { width, height });
}

// What a video shows now, in the size of a canvas.
function draw(video, target) {
  const context = target.getContext('2d', { alpha: false, willReadFrequently: true });
  context.drawImage(video, 0, 0, target.width, target.height);
  return context.getImageData(0, 0, target.width, target.height);
}
