// Values over time, and the line that they make.

/** The last `length` points of one or more values. */
export class Series {
  #length;
  points = [];

  constructor(length) {
    this.#length = length;
  }

  /** `values` that are no numbers are gaps. */
  push(at, values) {
    this.points.push({ at, values });
    if (this.points.length > this.#length) this.points.shift();
  }

  clear() {
    this.points.length = 0;
  }

  /** The largest value there is. */
  get max() {
    return this.points.flatMap(({ values }) => values).reduce((most, value) => (value > most ? value : most), 0);
  }
}

/** The end of a scale that holds `max`: 1, 2 or 5 times a power of ten; `least` where that is more. */
export function ceiling(max, least = 1) {
  if (!(max > least)) return least;
  const power = 10 ** Math.floor(Math.log10(max));
  // 0.1 + 0.2 and its like must not push a value to the next step.
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= max * (1 - 1e-9));
}

/** The same for amounts of memory: a power of two. */
export function binaryCeiling(max, least = 1) {
  return max > least ? 2 ** Math.ceil(Math.log2(max)) : least;
}

/**
 * Path of one value in a box, newest at the right edge, `span` milliseconds wide: `{ line, area }`. Where a point has no number,
 * the line is interrupted.
 */
export function pathOf(points, at, { width, height, span, top, end }) {
  const runs = [[]];
  for (const { at: when, values } of points) {
    const value = values[at];
    if (!Number.isFinite(value)) {
      if (runs.at(-1).length > 0) runs.push([]);
      continue;
    }
    const x = width - ((end - when) / span) * width;
    runs.at(-1).push([x, height - (Math.min(value, top) / top) * height]);
  }
  const text = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  const drawn = runs.filter((run) => run.length > 0);
  const lines = drawn.map((run) => `M${run.map(text).join("L")}`);
  const areas = drawn.map((run) => `M${text([run[0][0], height])}L${run.map(text).join("L")}L${text([run.at(-1)[0], height])}Z`);
  return { line: lines.join(""), area: areas.join("") };
}
