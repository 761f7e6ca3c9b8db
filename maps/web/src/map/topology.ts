// Borders come once, as arcs; areas are put together from them and share their points.
import L from "leaflet";
import type { Decoder } from "./geometry";
import type { EdgeOverlay, Payload } from "./types";

export class Topology {
  private readonly arcs: L.LatLng[][];

  constructor(payload: Payload, decoder: Decoder) {
    let x = 0;
    let y = 0;
    this.arcs = payload.arcs.map((steps) => {
      x += steps[0];
      y += steps[1];
      return decoder.line([x, y, ...steps.slice(2)]).map(([lat, lon]) => L.latLng(lat, lon));
    });
  }

  /** Polygons → rings → points of an area given by the numbers of its arcs. */
  area(rings: number[][][]): L.LatLng[][][] {
    return rings.map((polygon) => polygon.map((ring) => this.ring(ring)));
  }

  private ring(numbers: number[]): L.LatLng[] {
    const out: L.LatLng[] = [];
    for (const number of numbers) {
      const arc = this.arcs[number < 0 ? ~number : number];
      // The last point of an arc is the first of the next.
      if (number < 0) for (let i = arc.length - 1; i > 0; i--) out.push(arc[i]);
      else for (let i = 0; i < arc.length - 1; i++) out.push(arc[i]);
    }
    return out;
  }

  lines(numbers: Iterable<number>): L.LatLng[][] {
    return [...numbers].map((number) => this.arcs[number]);
  }

  /** Every border of some areas once. */
  borders(areas: number[][][][]): L.LatLng[][] {
    const used = new Set<number>();
    for (const area of areas) {
      for (const polygon of area) {
        for (const ring of polygon) for (const n of ring) used.add(n < 0 ? ~n : n);
      }
    }
    return this.lines(used);
  }
}

/** South-west and north-east of an area of an edge layer. */
export function boxOf(overlay: EdgeOverlay, i: number, decoder: Decoder): L.LatLngBounds {
  const [west, south, east, north] = overlay.boxes.slice(4 * i, 4 * i + 4);
  return L.latLngBounds(decoder.point(west, south), decoder.point(east, north));
}
