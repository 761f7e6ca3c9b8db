// Coordinates under the pointer (or of the last tap) in a chosen datum.
import L from "leaflet";
import { convert, type Datum } from "./datum";
import type { Context } from "./context";
import { h } from "./dom";

const DATUMS: [Datum, string][] = [
  ["wgs84", "WGS-84"], ["cgcs2000", "CGCS2000"], ["gcj02", "GCJ-02"], ["bd09", "BD-09"],
];

export function pointerControl({ map, words, decoder }: Context): HTMLElement {
  const out = h("output", { class: "gs-coords", "aria-live": "off" });
  const choice = h(
    "select", { class: "gs-datum", "aria-label": words.say("datum") },
    ...DATUMS.map(([value, label]) => h("option", { value }, label)),
  );
  const asked = new URLSearchParams(location.search).get("datum");
  if (DATUMS.some(([value]) => value === asked)) choice.value = asked!;
  let last = map.getCenter();
  const show = () => {
    const [lon, lat] = decoder.real(last.lat, last.lng);
    const [x, y] = convert(lon, lat, "wgs84", choice.value as Datum);
    out.textContent = `${x.toFixed(6)}, ${y.toFixed(6)}`;
  };
  const follow = (event: L.LeafletMouseEvent) => {
    last = event.latlng;
    show();
  };
  map.on("mousemove click", follow as L.LeafletEventHandlerFn);
  choice.addEventListener("change", show);
  show();
  const box = h("div", { class: "gs-pointer" }, choice, out);
  L.DomEvent.disableClickPropagation(box);
  return box;
}
