// Pictures that are published. Each says by its blocks which one it is; between them is texture that moves, so that an encoder has
// something to do.

import { COLUMNS, RATE, ROWS, blocks, numberAt } from './numbered.js';

// A track of pictures of this size, in pixels. One that is `torn` has the upper half of one picture above the lower half of its
// neighbour, as after a fault of a decoder: no reader may take it for a picture.
export class Picture {
  constructor({ stream, width, height, torn }) {
    this.stream = stream;
    this.torn = torn ?? false;
    this.canvas = document.createElement('canvas');
    this.canvas.width = width;
    this.canvas.height = height;
    this.context = this.canvas.getContext('2d', { alpha: false, willReadFrequently: true });
    this.texture = noise(width, height / 3);
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
    this.drawBlocks(number, block => !this.torn || block.row < ROWS / 2);
    if (this.torn) this.drawBlocks(number ^ 1, block => block.row >= ROWS / 2);
    const shift = (number * 4) % width;
    this.context.drawImage(this.texture, -shift, height / 3);
    this.context.drawImage(this.texture, width - shift, height / 3);
  }

  drawBlocks(number, isWanted) {
    const [wide, high] = [this.canvas.width / COLUMNS, this.canvas.height / ROWS];
    for (const { column, row, isWhite } of blocks({ stream: this.stream, number }).filter(isWanted)) {
      this.context.fillStyle = isWhite ? '#fff' : '#000';
      this.context.fillRect(column * wide, row * high, wide, high);
    }
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
