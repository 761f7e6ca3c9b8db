// A canvas renderer that also draws hatches, casings, arrowheads and offset dashes.
import L from "leaflet";
import type { Hatch } from "./types";

export interface GridPathOptions extends L.PolylineOptions {
  hatch?: Hatch | null;
  hatchColor?: string;
  casing?: { color: string; width: number };
  arrows?: { every: number; size: number; color: string };
  /** Pixels to the right of the drawing direction. */
  shift?: number;
}

const patterns = new Map<string, CanvasPattern>();

function pattern(ctx: CanvasRenderingContext2D, hatch: Hatch, color: string): CanvasPattern {
  const key = `${hatch} ${color}`;
  const known = patterns.get(key);
  if (known) return known;
  const size = hatch === "dense" ? 4 : 8;
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const pen = tile.getContext("2d")!;
  pen.strokeStyle = pen.fillStyle = color;
  pen.lineWidth = 1;
  const stroke = (...points: number[]) => {
    pen.beginPath();
    for (let i = 0; i < points.length; i += 4) {
      pen.moveTo(points[i], points[i + 1]);
      pen.lineTo(points[i + 2], points[i + 3]);
    }
    pen.stroke();
  };
  const s = size;
  const rising = [0, s, s, 0, -2, 2, 2, -2, s - 2, s + 2, s + 2, s - 2];
  const falling = [0, 0, s, s, -2, s - 2, 2, s + 2, s - 2, -2, s + 2, 2];
  if (hatch === "diagonal" || hatch === "dense") stroke(...rising);
  else if (hatch === "back") stroke(...falling);
  else if (hatch === "cross") stroke(...rising, ...falling);
  else if (hatch === "vertical") stroke(s / 2, 0, s / 2, s);
  else if (hatch === "horizontal") stroke(0, s / 2, s, s / 2);
  else pen.fillRect(s / 2 - 1, s / 2 - 1, 2, 2);
  const made = ctx.createPattern(tile, "repeat")!;
  patterns.set(key, made);
  return made;
}

function arrowheads(
  ctx: CanvasRenderingContext2D,
  rings: L.Point[][],
  arrows: { every: number; size: number; color: string },
  seen: L.Bounds,
): void {
  ctx.globalAlpha = 1;
  ctx.fillStyle = arrows.color;
  ctx.strokeStyle = "#fff";
  ctx.lineWidth = 1.5;
  const s = arrows.size;
  for (const ring of rings) {
    let left = arrows.every / 2;
    for (let i = 1; i < ring.length; i++) {
      const a = ring[i - 1];
      const b = ring[i];
      const length = a.distanceTo(b);
      if (!length) continue;
      let at = left;
      for (; at <= length; at += arrows.every) {
        const f = at / length;
        const x = a.x + (b.x - a.x) * f;
        const y = a.y + (b.y - a.y) * f;
        if (!seen.contains([x, y] as unknown as L.Point)) continue;
        const ux = (b.x - a.x) / length;
        const uy = (b.y - a.y) / length;
        ctx.beginPath();
        ctx.moveTo(x + ux * s, y + uy * s);
        ctx.lineTo(x - ux * s - uy * s * 0.8, y - uy * s + ux * s * 0.8);
        ctx.lineTo(x - ux * s * 0.5, y - uy * s * 0.5);
        ctx.lineTo(x - ux * s + uy * s * 0.8, y - uy * s - ux * s * 0.8);
        ctx.closePath();
        ctx.stroke();
        ctx.fill();
      }
      left = at - length;
    }
  }
}

function shifted(part: L.Point[], by: number): L.Point[] {
  const out: L.Point[] = [];
  for (let i = 1; i < part.length; i++) {
    const a = part[i - 1];
    const b = part[i];
    const length = a.distanceTo(b) || 1;
    const nx = (-(b.y - a.y) / length) * by;
    const ny = ((b.x - a.x) / length) * by;
    out.push(L.point(a.x + nx, a.y + ny), L.point(b.x + nx, b.y + ny));
  }
  return out;
}

// Leaflet's extension points are not typed; the members used are those of version 1.9.
const Base = (L.Canvas as any).prototype;

export const GridCanvas = L.Canvas.extend({
  _fillStroke(ctx: CanvasRenderingContext2D, layer: any) {
    const o = layer.options as GridPathOptions;
    if (o.fill) {
      if (o.fillColor && o.fillOpacity) {
        ctx.globalAlpha = o.fillOpacity;
        ctx.fillStyle = o.fillColor;
        ctx.fill((o.fillRule ?? "evenodd") as CanvasFillRule);
      }
      if (o.hatch) {
        ctx.globalAlpha = 1;
        ctx.fillStyle = pattern(ctx, o.hatch, o.hatchColor ?? "#8A94A6");
        ctx.fill((o.fillRule ?? "evenodd") as CanvasFillRule);
      }
    }
    if (!o.stroke || !o.weight) return;
    ctx.lineCap = (o.lineCap ?? "round") as CanvasLineCap;
    ctx.lineJoin = (o.lineJoin ?? "round") as CanvasLineJoin;
    if (o.casing) {
      ctx.setLineDash?.([]);
      ctx.globalAlpha = 1;
      ctx.lineWidth = o.weight + 2 * o.casing.width;
      ctx.strokeStyle = o.casing.color;
      ctx.stroke();
    }
    ctx.setLineDash?.((o as any)._dashArray || []);
    ctx.globalAlpha = o.opacity ?? 1;
    ctx.lineWidth = o.weight;
    ctx.strokeStyle = o.color!;
    ctx.stroke();
  },
  _updatePoly(this: any, layer: any, closed: boolean) {
    const o = layer.options as GridPathOptions;
    if (o.shift && this._drawing) {
      const kept = layer._parts;
      layer._parts = kept.map((part: L.Point[]) => shifted(part, o.shift!));
      Base._updatePoly.call(this, layer, closed);
      layer._parts = kept;
    } else {
      Base._updatePoly.call(this, layer, closed);
    }
    if (o.arrows && this._drawing) {
      this._ctx.setLineDash?.([]);
      const rings = o.shift
        ? layer._rings.map((ring: L.Point[]) => shifted(ring, o.shift!))
        : layer._rings;
      arrowheads(this._ctx, rings, o.arrows, this._bounds);
    }
  },
}) as unknown as new (options?: L.RendererOptions) => L.Canvas;
