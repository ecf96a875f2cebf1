// The number in a picture: black and white blocks, which any codec at any rate leaves standing. Six bits name the stream, eighteen
// bits say when the picture was drawn, eight bits check the rest. The picture's upper third has them in four rows of eight blocks,
// its lower third the same turned by half a turn and inverted: so a picture that is put together of two is not taken for either.

export const COLUMNS = 8;
export const ROWS = 12;
const CODE_ROWS = 4;
const BITS = COLUMNS * CODE_ROWS;
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

// A picture in one colour is not one of ours.
function check(word) {
  return ((Math.imul(word, 0x9e3779b1) >>> 24) & 0xff) ^ 0xa5;
}

// The blocks of a picture, with their places in columns and rows from the upper left.
export function blocks({ stream, number }) {
  const word = (stream << NUMBER_BITS) | number;
  const bits = ((word << 8) | check(word)) >>> 0;
  const all = [];
  for (let n = 0; n < BITS; n += 1) {
    const isWhite = ((bits >>> n) & 1) === 1;
    const [column, row] = placeOf(n);
    all.push({ column, row, isWhite });
    all.push({ column: COLUMNS - 1 - column, row: ROWS - 1 - row, isWhite: !isWhite });
  }
  return all;
}

function placeOf(n) {
  return [n % COLUMNS, Math.floor(n / COLUMNS)];
}

// Reads an ImageData: `code` {stream, number} or null, and what was there: the bits of both thirds, equal if the picture is whole,
// and the `contrast`, which is how far the greyest block is from the middle, of 127.
export function read(image) {
  let [upper, lower, contrast] = [0, 0, 127];
  const isWhite = (column, row) => {
    const above = brightness(image, column, row) - 127;
    contrast = Math.min(contrast, Math.abs(above));
    return above > 0;
  };
  for (let n = 0; n < BITS; n += 1) {
    const [column, row] = placeOf(n);
    if (isWhite(column, row)) upper = (upper | (1 << n)) >>> 0;
    if (!isWhite(COLUMNS - 1 - column, ROWS - 1 - row)) lower = (lower | (1 << n)) >>> 0;
  }
  const word = upper >>> 8;
  const isWhole = upper === lower && (upper & 0xff) === check(word);
  const code = isWhole ? { stream: word >>> NUMBER_BITS, number: word % NUMBERS } : null;
  return { code, upper, lower, contrast: Math.round(contrast) };
}

// The mean of a block's inner quarter, which is away from its neighbours, in green: that carries most of the brightness.
function brightness({ width, height, data }, column, row) {
  const [wide, high] = [width / COLUMNS, height / ROWS];
  const [left, right] = inner(column, wide);
  const [top, bottom] = inner(row, high);
  let sum = 0;
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) sum += data[(y * width + x) * 4 + 1];
  }
  return sum / ((right - left) * (bottom - top));
}

function inner(at, size) {
  return [Math.floor((at + 0.25) * size), Math.ceil((at + 0.75) * size)];
}
