// Numbers that a generated picture carries in itself, so that a receiver can tell whose picture it sees, and which one. Black
// and white cells, large enough to survive a low bitrate: 32 bits, most significant first, and below them the same inverted.

/** Cells in a row; two rows of bits and two of inverted bits. */
export const COLUMNS = 16;
export const ROWS = 4;
/** Which part of the picture's height the cells take, at its lower edge. */
export const HEIGHT = 0.2;

/** Bits of the number of a frame; those above say whose picture it is. */
const FRAME_BITS = 20;

/** The bits of source (0 to 4095) and frame (counted modulo 2^20), row by row. */
export function encode(source, frame) {
  const word = ((source << FRAME_BITS) | (frame % (1 << FRAME_BITS))) >>> 0;
  const bits = Array.from({ length: 32 }, (_, at) => ((word >>> (31 - at)) & 1) === 1);
  return [...bits, ...bits.map((bit) => !bit)];
}

/** Source and frame of what [encode] gave, or `undefined` where the two halves do not fit each other. */
export function decode(cells) {
  if (cells.length !== COLUMNS * ROWS) return undefined;
  let word = 0;
  for (let at = 0; at < 32; at += 1) {
    if (cells[at] === cells[at + 32]) return undefined;
    word = ((word << 1) | (cells[at] ? 1 : 0)) >>> 0;
  }
  return { source: word >>> FRAME_BITS, frame: word & ((1 << FRAME_BITS) - 1) };
}

/** Reads the code of a picture: an ImageData, or anything with its `width`, `height` and RGBA `data`. */
export function readPicture({ width, height, data }) {
  const cells = [];
  const top = height * (1 - HEIGHT);
  for (let row = 0; row < ROWS; row += 1) {
    for (let column = 0; column < COLUMNS; column += 1) {
      const x = Math.floor(((column + 0.5) * width) / COLUMNS);
      const y = Math.floor(top + ((row + 0.5) * height * HEIGHT) / ROWS);
      // Green carries most of the brightness.
      cells.push(data[(y * width + x) * 4 + 1] > 127);
    }
  }
  return decode(cells);
}

/** Draws the code into a 2D context. */
export function drawCode(context, width, height, source, frame) {
  const cellWidth = width / COLUMNS;
  const cellHeight = (height * HEIGHT) / ROWS;
  encode(source, frame).forEach((bit, at) => {
    context.fillStyle = bit ? "#fff" : "#000";
    const row = Math.floor(at / COLUMNS);
    context.fillRect((at % COLUMNS) * cellWidth, height * (1 - HEIGHT) + row * cellHeight, cellWidth, cellHeight);
  });
}
