/* Sparklines: a path through minute means, with gaps where nothing is known. */
const WIDTH = 132;
const HEIGHT = 36;
const FOOT = 34;

const round = (n) => Math.round(n * 10) / 10;

/* The paths for these numbers (null: unknown) and the expected level (null: none): {line, area, expected, x, y}; x null: no last point. */
export function sparkPaths(values, expected) {
  let most = expected || 0;
  for (const value of values) if (value > most) most = value;
  const scale = most > 0 ? (FOOT - 3) / most : 0;
  const step = values.length > 1 ? (WIDTH - 4) / (values.length - 1) : 0;
  let line = "";
  let area = "";
  let from = -1;
  let x = null;
  let y = null;
  values.forEach((value, i) => {
    if (value === null) {
      if (from >= 0) area += `V${FOOT}H${from}Z`;
      from = -1;
      return;
    }
    x = round(2 + i * step);
    y = round(FOOT - value * scale);
    const at = `${from < 0 ? "M" : "L"}${x} ${y}`;
    line += at;
    area += at;
    if (from < 0) from = x;
  });
  if (from >= 0) area += `V${FOOT}H${from}Z`;
  const level = expected ? `M0 ${round(FOOT - expected * scale)}H${WIDTH}` : "";
  return { line, area, expected: level, x, y, height: HEIGHT };
}
