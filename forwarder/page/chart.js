// A small live chart: its last values in large, and the last minutes as lines.

import { ceiling, pathOf, Series } from "./series.js";

const WIDTH = 300;
const HEIGHT = 72;
/** Milliseconds that are shown. */
const SPAN = 180_000;
const SVG = "http://www.w3.org/2000/svg";

export class Chart {
  #series = new Series(SPAN / 1000 + 1);
  #format;
  #least;
  #ceiling;
  #values = [];
  #paths = [];
  #scale = html("span", "scale");
  #when = html("span", "when");
  #cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT });
  #pointed;

  /** `names` are those of the lines, `format` writes a value; the scale ends at `end(max, least)`, which is `least` at least. */
  constructor(place, { id, title, names, format, least, end = ceiling }) {
    this.#format = format;
    this.#least = least;
    this.#ceiling = end;
    const figure = html("figure", "chart");
    figure.id = `chart-${id}`;
    const caption = html("figcaption", "");
    caption.textContent = title;
    const values = html("div", "values");
    const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const y of [0.5, HEIGHT / 2, HEIGHT - 0.5]) {
      drawing.append(svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y }));
    }
    names.forEach((name, at) => {
      const box = html("span", "");
      box.dataset.series = at;
      const value = html("span", "value");
      value.textContent = "–";
      const label = html("span", "series");
      label.textContent = name;
      box.append(value, label);
      values.append(box);
      this.#values.push(value);
      const paths = { area: svg("path", { class: "area", "data-series": at }), line: svg("path", { class: "line", "data-series": at }) };
      drawing.append(paths.area, paths.line);
      this.#paths.push(paths);
    });
    this.#cursor.style.display = "none";
    drawing.append(this.#cursor);
    const plot = html("div", "plot");
    plot.append(drawing, this.#scale);
    figure.append(caption, values, plot, this.#when);
    place.append(figure);
    plot.addEventListener("pointermove", (event) => {
      const { left, width } = plot.getBoundingClientRect();
      this.#pointed = (event.clientX - left) / width;
      this.#draw();
    });
    plot.addEventListener("pointerleave", () => {
      this.#pointed = undefined;
      this.#draw();
    });
    this.#draw();
  }

  push(at, values) {
    this.#series.push(at, values);
    this.#draw();
  }

  clear() {
    this.#series.clear();
    this.#draw();
  }

  #draw() {
    const { points, max } = this.#series;
    const end = points.at(-1)?.at ?? 0;
    const top = this.#ceiling(max, this.#least);
    const box = { width: WIDTH, height: HEIGHT, span: SPAN, top, end };
    this.#paths.forEach(({ line, area }, at) => {
      const path = pathOf(points, at, box);
      line.setAttribute("d", path.line);
      area.setAttribute("d", path.area);
    });
    this.#scale.textContent = this.#format(top);
    const shown = this.#shown(points, end);
    this.#values.forEach((value, at) => {
      value.textContent = this.#format(shown?.values[at]);
    });
  }

  /** The point under the pointer, or the last one. */
  #shown(points, end) {
    const pointing = this.#pointed !== undefined && points.length > 0;
    this.#cursor.style.display = pointing ? "" : "none";
    if (!pointing) {
      this.#when.textContent = "last 3 minutes";
      return points.at(-1);
    }
    const at = end - (1 - this.#pointed) * SPAN;
    const near = points.reduce((best, point) => (Math.abs(point.at - at) < Math.abs(best.at - at) ? point : best));
    const x = WIDTH - ((end - near.at) / SPAN) * WIDTH;
    this.#cursor.setAttribute("x1", x);
    this.#cursor.setAttribute("x2", x);
    this.#when.textContent = new Date(near.at).toLocaleTimeString();
    return near;
  }
}

function html(name, className) {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

function svg(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
