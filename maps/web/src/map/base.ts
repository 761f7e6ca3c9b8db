// The quiet base: water, green and streets in three greys, drawn from the city's own data.
import L from "leaflet";
import type { Context } from "./context";
import { h } from "./dom";

const STREETS = [
  { key: "lane", color: "#FFFFFF", edge: "#DFE2E7", widths: [0.5, 1, 2, 4], from: 13 },
  { key: "minor", color: "#FFFFFF", edge: "#CDD2DA", widths: [1, 1.6, 3, 6], from: 11 },
  { key: "major", color: "#FFFFFF", edge: "#B4BBC7", widths: [1.6, 2.6, 4.5, 9], from: 0 },
] as const;

const width = (widths: readonly number[], zoom: number): number =>
  widths[Math.max(0, Math.min(3, Math.floor((zoom - 11) / 2)))];

export function drawBase({ map, payload, decoder, canvas, large }: Context): void {
  const renderer = canvas.base;
  const flat = { renderer, interactive: false, stroke: false, fillOpacity: 1 };
  for (const area of payload.base.green) {
    L.polygon(decoder.area(area), { ...flat, fillColor: "#E3EFDD" }).addTo(map);
  }
  for (const area of payload.base.water) {
    L.polygon(decoder.area(area), { ...flat, fillColor: "#CFE3F1" }).addTo(map);
  }
  for (const area of payload.base.excluded) {
    L.polygon(decoder.area(area), {
      ...flat,
      fillColor: "#E9E6E1",
      hatch: "back",
      hatchColor: "#D5D0C8",
    } as L.PolylineOptions).addTo(map);
  }
  const drawn = STREETS.map((kind) => {
    const lines = decoder.lines(payload.base.streets[kind.key]);
    const make = (color: string) =>
      L.polyline(lines, { renderer, interactive: false, color, opacity: 1 });
    return { kind, casing: make(kind.edge), fill: make(kind.color) };
  });
  const bridges = decoder.lines(payload.base.bridges);
  const bridge = L.polyline(bridges, {
    renderer, interactive: false, color: "#8F98A6", lineCap: "butt", opacity: 1,
  });
  const deck = L.polyline(bridges, { renderer, interactive: false, color: "#fff", opacity: 1 });
  // Options only: the move that ends each zoom draws everything anew.
  const size = () => {
    const zoom = map.getZoom();
    for (const { kind, casing, fill } of drawn) {
      const w = width(kind.widths, zoom) * large;
      const shown = zoom >= kind.from;
      Object.assign(casing.options, { weight: w + (zoom < 13 ? 0 : 1.6), opacity: shown ? 1 : 0 });
      Object.assign(fill.options, { weight: w, opacity: shown && zoom >= 13 ? 1 : 0 });
    }
    const w = width([1.6, 2.6, 4, 7], zoom) * large;
    Object.assign(bridge.options, { weight: w + 2.5, opacity: zoom >= 13 ? 1 : 0 });
    Object.assign(deck.options, { weight: w, opacity: zoom >= 13 ? 1 : 0 });
  };
  size();
  for (const { casing } of drawn) casing.addTo(map);
  if (bridges.length) bridge.addTo(map);
  for (const { fill } of drawn) fill.addTo(map);
  if (bridges.length) deck.addTo(map);
  map.on("zoomend", size);
}

/** Names that fade in by zoom; one that would overlap an earlier one waits. */
export class Labels {
  private readonly group = L.layerGroup();
  private readonly entries: {
    at: L.LatLngTuple; text: () => string; kind: string; from: number; to: number; rank: number;
    angle?: number; length?: [L.LatLngTuple, L.LatLngTuple];
  }[] = [];

  constructor(private readonly context: Context) {
    const { payload, words, decoder, map } = context;
    for (const overlay of payload.overlays) {
      if (overlay.type !== "edges" || overlay.level === "city") continue;
      const small = overlay.level === "community";
      overlay.names.forEach((name, i) => {
        this.entries.push({
          at: decoder.point(overlay.label_xy[2 * i], overlay.label_xy[2 * i + 1]),
          text: () => words.text(name),
          kind: overlay.level,
          from: small ? 14 : 0,
          to: small ? 22 : 15,
          rank: small ? 1 : 0,
        });
      });
    }
    payload.base.water_names.forEach((name, i) => {
      this.entries.push({
        at: decoder.point(payload.base.water_xy[2 * i], payload.base.water_xy[2 * i + 1]),
        text: () => words.text(name), kind: "water", from: 12, to: 22, rank: 3,
      });
    });
    for (const { name, line, rank } of payload.base.street_names) {
      const path = decoder.line(line);
      const a = path[0];
      const b = path[path.length - 1];
      this.entries.push({
        at: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], text: () => name, kind: "street",
        from: rank === 0 ? 14 : 16, to: 22, rank: 2 + rank, length: [a, b],
      });
    }
    if (payload.cells?.level === "cell") {
      const { rings, names } = payload.cells;
      rings.forEach((area, i) => {
        const ring = context.topology.area(area)[0]?.[0];
        if (!ring) return;
        const centre = L.latLngBounds(ring).getCenter();
        this.entries.push({
          at: [centre.lat, centre.lng], text: () => words.text(names[i]), kind: "cell",
          from: 16, to: 22, rank: 2,
        });
      });
    }
    this.entries.sort((a, b) => a.rank - b.rank);
    this.group.addTo(map);
    map.on("zoomend moveend", () => this.place());
  }

  place(): void {
    const { map } = this.context;
    const zoom = map.getZoom();
    const view = map.getBounds().pad(0.1);
    const taken: [number, number, number, number][] = [];
    this.group.clearLayers();
    let count = 0;
    for (const entry of this.entries) {
      if (zoom < entry.from || zoom > entry.to || count >= 160) continue;
      if (!view.contains(entry.at)) continue;
      const text = entry.text();
      if (!text) continue;
      const p = map.latLngToLayerPoint(entry.at);
      const em = (entry.kind === "subdistrict" ? 14 : 12) * (this.context.large > 1 ? 2.3 : 1);
      let w = 0;
      for (const letter of text) w += letter.charCodeAt(0) > 255 ? em : em * 0.55;
      let angle = 0;
      if (entry.length) {
        const a = map.latLngToLayerPoint(entry.length[0]);
        const b = map.latLngToLayerPoint(entry.length[1]);
        if (a.distanceTo(b) < w * 1.3) continue;
        angle = (Math.atan2(b.y - a.y, b.x - a.x) * 180) / Math.PI;
        if (angle > 90) angle -= 180;
        if (angle < -90) angle += 180;
      }
      const turn = (Math.abs(angle) * Math.PI) / 180;
      const half = [
        (w * Math.cos(turn) + em * Math.sin(turn)) / 2 + 4,
        (w * Math.sin(turn) + em * Math.cos(turn)) / 2 + 4,
      ];
      const box: [number, number, number, number] = [
        p.x - half[0], p.y - half[1], p.x + half[0], p.y + half[1],
      ];
      if (taken.some((t) => t[0] < box[2] && box[0] < t[2] && t[1] < box[3] && box[1] < t[3])) {
        continue;
      }
      taken.push(box);
      count++;
      const label = h("span", { class: `gs-label gs-label-${entry.kind}` }, text);
      label.style.transform = `translate(-50%, -50%) rotate(${angle.toFixed(1)}deg)`;
      L.marker(entry.at, {
        interactive: false, keyboard: false, pane: "labels",
        icon: L.divIcon({ html: label, className: "gs-label-at", iconSize: [0, 0] }),
      }).addTo(this.group);
    }
  }
}
