// Point signs told apart by shape as well as by colour.
import L from "leaflet";
import { svg } from "./dom";
import type { Shape } from "./types";

/** Hollow signs stand for what is missing: a ring a role, a diamond a visit, a box a person. */
export const isHollow = (shape: Shape): boolean =>
  shape === "ring" || shape === "hollow" || shape === "box";

export function shapePath(shape: Shape, x: number, y: number, r: number): string {
  if (shape === "square" || shape === "box") {
    const s = r * 0.88;
    return `M${x - s} ${y - s}h${2 * s}v${2 * s}h${-2 * s}z`;
  }
  if (shape === "triangle") {
    const s = r * 1.15;
    return `M${x} ${y - s}L${x + s} ${y + s * 0.8}L${x - s} ${y + s * 0.8}z`;
  }
  if (shape === "diamond" || shape === "hollow") {
    const s = r * 1.2;
    return `M${x} ${y - s}L${x + s} ${y}L${x} ${y + s}L${x - s} ${y}z`;
  }
  return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
}

export const ShapeMarker = L.CircleMarker.extend({
  _updatePath(this: any) {
    const { x, y } = this._point;
    const hidden = !this._renderer._bounds || this._empty();
    this._renderer._setPath(
      this, hidden ? "M0 0" : shapePath(this.options.shape ?? "circle", x, y, this._radius),
    );
  },
}) as unknown as new (
  at: L.LatLngExpression, options: L.CircleMarkerOptions & { shape?: Shape },
) => L.CircleMarker;

/** A sample of a sign for the legend. */
export function swatch(shape: Shape, color: string | null): SVGElement {
  const ring = isHollow(shape);
  return svg(
    "svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", {
      d: shapePath(shape, 8, 8, 5.5),
      fill: ring ? "none" : (color ?? "none"),
      stroke: ring ? (color ?? "#B42318") : "#1F2937",
      "stroke-width": ring ? 2 : 0.8,
    }),
  );
}
