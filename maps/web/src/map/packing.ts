// Columns in which repeated values were written once (maps/packing.py) become plain again.
import type { Packed, Payload, Value } from "./types";

export function unpacked<T extends Value>(column: Packed<T>): T[] {
  if (Array.isArray(column)) return column;
  if ("of" in column) return column.at.map((i) => column.of[i]);
  const [left, right] = column.words;
  return left.at.map((i, k) => `${left.of[i]} ${right.of[right.at[k]]}` as T);
}

/** The document with every column plain. */
export function unpack(payload: Payload): Payload {
  const layers = payload.overlays.filter((overlay) => overlay.type === "points");
  for (const layer of [...(payload.cells ? [payload.cells] : []), ...layers]) {
    layer.names = unpacked(layer.names);
    for (const row of layer.rows) row.values = unpacked(row.values);
  }
  return payload;
}
