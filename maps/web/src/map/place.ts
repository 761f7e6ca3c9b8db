// A place that the address names after #, as lon,lat: it never travels to the server.
import L from "leaflet";
import type { Context } from "./context";
import { h, svg } from "./dom";

export function markPlace({ map, decoder, payload, words }: Context): void {
  const found = /^#place=(-?[\d.]+),(-?[\d.]+)$/.exec(location.hash);
  if (!found) return;
  const [lon, lat] = [Number(found[1]), Number(found[2])];
  if (!(Math.abs(lon) <= 180 && Math.abs(lat) <= 90)) return;
  const pin = h("span", { class: "gs-pin" });
  pin.append(svg("svg", { width: 24, height: 32, viewBox: "0 0 24 32" },
    svg("path", { d: "M12 31C12 31 2 18 2 11a10 10 0 0 1 20 0C22 18 12 31 12 31Z",
      fill: "#1D5FD1", stroke: "#fff", "stroke-width": 2 }),
    svg("circle", { cx: 12, cy: 11, r: 4, fill: "#fff" })));
  L.marker(decoder.point(lon * payload.scale, lat * payload.scale), {
    pane: "signs", keyboard: false, title: `${words.say("place")} ${lon}, ${lat}`,
    icon: L.divIcon({ html: pin, className: "gs-sign-at", iconSize: [24, 32], iconAnchor: [12, 31] }),
  }).addTo(map);
}
