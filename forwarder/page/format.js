// Numbers as people read them.

const STEPS = ["", "k", "M", "G", "T"];

/** Three digits and a unit: `1.23 Mbit/s`. `–` where there is no number. */
export function quantity(value, unit = "", base = 1000) {
  if (!Number.isFinite(value)) return "–";
  let step = 0;
  let scaled = value;
  // 999.5 would be written as 1000.
  while (Math.abs(scaled) >= 999.5 && step < STEPS.length - 1) {
    scaled /= base;
    step += 1;
  }
  const prefix = base === 1024 && step > 0 ? `${STEPS[step].toUpperCase()}i` : STEPS[step];
  return `${digits(scaled)} ${prefix}${unit}`.trim();
}

function digits(value) {
  const size = Math.abs(value);
  if (size === 0 || size >= 99.95 || Number.isInteger(value)) return value.toFixed(0);
  return size >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

export const bits = (perSecond) => quantity(perSecond, "bit/s");
export const bytes = (count) => quantity(count, "B", 1024);
export const rate = (perSecond) => quantity(perSecond, "/s");

export function percent(part) {
  if (!Number.isFinite(part)) return "–";
  return `${digits(part * 100)} %`;
}

/** Seconds, given as such. */
export function time(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return `${digits(seconds * 1e6)} µs`;
  if (seconds < 1) return `${digits(seconds * 1e3)} ms`;
  if (seconds < 60) return `${digits(seconds)} s`;
  const whole = Math.floor(seconds);
  const parts = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ].map(([size, name], at, all) => [Math.floor((at === 0 ? whole : whole % all[at - 1][0]) / size), name]);
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, name]) => `${count} ${name}`)
    .join(" ");
}

export const count = (value) => (Number.isFinite(value) ? value.toLocaleString("en") : "–");
