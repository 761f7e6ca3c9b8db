// Patrol rounds: cased lines with arrowheads, numbered stops, square start and flag at the end.
import L from "leaflet";
import type { GridPathOptions } from "./canvas";
import { normal, type Context } from "./context";
import { h, svg } from "./dom";
import type { Shown } from "./overlays";
import { card, popupOptions } from "./popup";
import type { Round, RoundOverlay } from "./types";

function start(color: string): HTMLElement {
  const box = h("span", { class: "gs-start" });
  box.append(
    svg("svg", { width: 22, height: 22, viewBox: "0 0 22 22" },
      svg("rect", { x: 3, y: 3, width: 16, height: 16, fill: color, stroke: "#fff",
        "stroke-width": 3, "paint-order": "stroke" }),
      svg("rect", { x: 8, y: 8, width: 6, height: 6, fill: "#fff" })),
  );
  return box;
}

function flag(color: string): HTMLElement {
  const box = h("span", { class: "gs-flag" });
  box.append(
    svg("svg", { width: 24, height: 26, viewBox: "0 0 24 26" },
      svg("path", { d: "M5 25V2l14 5-12 5", fill: color, stroke: "#fff", "stroke-width": 4,
        "stroke-linejoin": "round", "paint-order": "stroke" }),
      svg("path", { d: "M5 25V2", stroke: "#1F2937", "stroke-width": 2, fill: "none" })),
  );
  return box;
}

export class RoundLayer implements Shown {
  readonly layer = L.layerGroup();
  private readonly groups: L.LayerGroup[] = [];
  private readonly bounds: L.LatLngBounds[] = [];
  readonly hidden = new Set<number>();

  constructor(
    private readonly context: Context,
    readonly overlay: RoundOverlay,
  ) {
    overlay.rounds.forEach((round, i) => {
      const group = L.layerGroup();
      this.groups.push(group);
      // Rounds that share a street run side by side.
      this.bounds.push(this.draw(round, group, (i % 4) * 4));
      this.layer.addLayer(group);
    });
  }

  private draw(round: Round, group: L.LayerGroup, shift: number): L.LatLngBounds {
    const { decoder, canvas, words, large } = this.context;
    const { color } = round;
    const lines = decoder.lines(round.path);
    const casing: GridPathOptions = {
      renderer: canvas.routes, interactive: false, color: "#fff", weight: 8 * large, opacity: 1, shift,
    };
    const line: GridPathOptions = {
      renderer: canvas.routes, interactive: false, color, weight: 4 * large, opacity: 1, shift,
      arrows: { every: 120 * large, size: 7 * large, color },
    };
    const again: GridPathOptions = {
      renderer: canvas.routes, interactive: false, color, weight: 2 * large, opacity: 1,
      dashArray: "5 5", shift: shift + 5, lineCap: "butt",
    };
    group.addLayer(L.polyline(lines, casing));
    if (round.twice.length) group.addLayer(L.polyline(decoder.lines(round.twice), again));
    group.addLayer(L.polyline(lines, line));
    const sign = (xy: number[], html: HTMLElement, size: [number, number], anchor: [number, number],
      title: string, content: () => HTMLElement, above = 0) => {
      const marker = L.marker(decoder.point(xy[0], xy[1]), {
        pane: "signs", title, riseOnHover: true, zIndexOffset: above,
        icon: L.divIcon({ html, className: "gs-sign-at", iconSize: size, iconAnchor: anchor }),
      });
      marker.bindPopup(content, popupOptions(this.context));
      group.addLayer(marker);
    };
    for (const stop of round.stops) {
      const disc = h("span", { class: "gs-stop" }, String(stop.order));
      disc.style.background = color;
      sign(stop.xy, disc, [22, 22], [11, 11], `${stop.order} ${stop.name}`, () =>
        card(words, `${stop.order} · ${stop.name}`,
          [words.text(stop.category), stop.code].filter(Boolean).join(" "), [
            { label: words.say("round"), value: words.text(round.title) },
            { label: words.say("arrive_after"), value: words.text(stop.arrive) },
            { label: words.say("stay"), value: words.text(stop.stay) },
            { label: words.say("walk_from_last"), value: words.text(stop.walk) },
            { label: words.say("off_network"), value: words.text(stop.snap) },
          ]));
    }
    sign(round.start, start(color), [22, 22], [11, 11], round.start_name, () =>
      card(words, round.start_name || words.say("start"), words.text(round.title), [
        { label: words.say("length"), value: words.text(round.length) },
        { label: words.say("duration"), value: words.text(round.duration) },
      ]), 200);
    const last = lines[lines.length - 1];
    const end = last?.[last.length - 1];
    if (end) {
      group.addLayer(
        L.marker(end, {
          pane: "signs", interactive: false, keyboard: false, zIndexOffset: 300,
          icon: L.divIcon({ html: flag(color), className: "gs-sign-at", iconSize: [24, 26],
            iconAnchor: [5, 36] }),
        }),
      );
    }
    const bounds = L.latLngBounds(lines.flat());
    bounds.extend(decoder.point(round.start[0], round.start[1]));
    return bounds;
  }

  toggle(i: number, on: boolean): void {
    if (on) {
      this.hidden.delete(i);
      this.layer.addLayer(this.groups[i]);
    } else {
      this.hidden.add(i);
      this.layer.removeLayer(this.groups[i]);
    }
  }

  zoom(i: number): void {
    this.context.map.fitBounds(this.bounds[i], {
      paddingTopLeft: [40, 40], paddingBottomRight: [40, 40 + this.context.covered()],
      animate: false,
    });
  }

  openStop(i: number, s: number): void {
    const { map, decoder } = this.context;
    const { xy } = this.overlay.rounds[i].stops[s];
    const at = decoder.point(xy[0], xy[1]);
    map.setView(at, Math.max(map.getZoom(), 16), { animate: false });
    this.groups[i].eachLayer((layer) => {
      if (layer instanceof L.Marker && layer.getLatLng().equals(at, 1e-9)) layer.openPopup();
    });
  }

  found() {
    const { words } = this.context;
    return this.overlay.rounds.flatMap((round, i) =>
      round.stops.map((stop, s) => ({
        key: normal(`${stop.name} ${stop.code}`),
        label: stop.name,
        detail: () => `${words.text(round.title)} · ${stop.order}`,
        open: () => this.openStop(i, s),
      })),
    );
  }
}
