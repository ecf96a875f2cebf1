// How many columns show `count` pictures of 16:9 largest in a box.

const SHAPE = 16 / 9;

/** `{ columns, width, height }`, the latter two of one picture, in the box's units; `gap` is between pictures. */
export function arrange(count, width, height, gap = 0) {
  let best = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const wide = (width - gap * (columns - 1)) / columns;
    const tall = (height - gap * (rows - 1)) / rows;
    const used = Math.max(0, Math.min(wide, tall * SHAPE));
    if (used > best.width) best = { columns, width: used, height: used / SHAPE };
  }
  return best;
}
