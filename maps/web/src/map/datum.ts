// Datum conversion of gridsvc.datum, for display: same formulas, same iteration.

export type Datum = "wgs84" | "cgcs2000" | "gcj02" | "bd09";
type Pair = [number, number];

const A = 6378245.0;
const E2 = 0.00669342162296594323;
const X_PI = (Math.PI * 3000.0) / 180.0;
const RANK: Record<Datum, number> = { wgs84: 0, cgcs2000: 0, gcj02: 1, bd09: 2 };
const { sin, cos, sqrt, abs, atan2, PI } = Math;

export function inMainlandBox(lon: number, lat: number): boolean {
  return lon >= 72.004 && lon <= 137.8347 && lat >= 0.8293 && lat <= 55.8271;
}

function wgsToGcj(lon: number, lat: number): Pair {
  if (!inMainlandBox(lon, lat)) return [lon, lat];
  const x = lon - 105.0;
  const y = lat - 35.0;
  const root = sqrt(abs(x));
  const common = ((20.0 * sin(6.0 * PI * x) + 20.0 * sin(2.0 * PI * x)) * 2.0) / 3.0;
  let dLat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + common;
  dLat += ((20.0 * sin(PI * y) + 40.0 * sin((PI * y) / 3.0)) * 2.0) / 3.0;
  dLat += ((160.0 * sin((PI * y) / 12.0) + 320.0 * sin((PI * y) / 30.0)) * 2.0) / 3.0;
  let dLon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + common;
  dLon += ((20.0 * sin(PI * x) + 40.0 * sin((PI * x) / 3.0)) * 2.0) / 3.0;
  dLon += ((150.0 * sin((PI * x) / 12.0) + 300.0 * sin((PI * x) / 30.0)) * 2.0) / 3.0;
  const phi = (lat * PI) / 180.0;
  const m = 1.0 - E2 * sin(phi) ** 2;
  const rootM = sqrt(m);
  return [
    lon + (dLon * 180.0) / ((A / rootM) * cos(phi) * PI),
    lat + (dLat * 180.0) / (((A * (1.0 - E2)) / (m * rootM)) * PI),
  ];
}

function gcjToBd(lon: number, lat: number): Pair {
  if (!inMainlandBox(lon, lat)) return [lon, lat];
  const z = sqrt(lon * lon + lat * lat) + 2e-5 * sin(lat * X_PI);
  const theta = atan2(lat, lon) + 3e-6 * cos(lon * X_PI);
  return [z * cos(theta) + 0.0065, z * sin(theta) + 0.006];
}

function inverse(forward: (x: number, y: number) => Pair, goal: Pair, first: Pair): Pair {
  let [x, y] = first;
  for (let i = 0; i < 12; i++) {
    const [fx, fy] = forward(x, y);
    const dx = goal[0] - fx;
    const dy = goal[1] - fy;
    x += dx;
    y += dy;
    if (Math.max(abs(dx), abs(dy)) < 1e-11) break;
  }
  return [x, y];
}

function gcjToWgs(lon: number, lat: number): Pair {
  if (!inMainlandBox(lon, lat)) return [lon, lat];
  return inverse(wgsToGcj, [lon, lat], [lon, lat]);
}

function bdToGcj(lon: number, lat: number): Pair {
  if (!inMainlandBox(lon, lat)) return [lon, lat];
  const x0 = lon - 0.0065;
  const y0 = lat - 0.006;
  const z = sqrt(x0 * x0 + y0 * y0) - 2e-5 * sin(y0 * X_PI);
  const theta = atan2(y0, x0) - 3e-6 * cos(x0 * X_PI);
  return inverse(gcjToBd, [lon, lat], [z * cos(theta), z * sin(theta)]);
}

/** Convert degrees from one datum to another. */
export function convert(lon: number, lat: number, source: Datum, target: Datum): Pair {
  let at = RANK[source];
  const goal = RANK[target];
  let pair: Pair = [lon, lat];
  while (at < goal) pair = (at++ === 0 ? wgsToGcj : gcjToBd)(...pair);
  while (at > goal) pair = (at-- === 2 ? bdToGcj : gcjToWgs)(...pair);
  return pair;
}
