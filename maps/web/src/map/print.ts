// A3 landscape: map three quarters, legend and tables right; then a page for each round.
import type L from "leaflet";
import type { Context } from "./context";
import { h, svg } from "./dom";
import type { Payload, Round } from "./types";

export function north(): HTMLElement {
  const box = h("div", { class: "gs-north", "aria-hidden": "true" });
  box.append(
    svg("svg", { width: 28, height: 36, viewBox: "0 0 28 36" },
      svg("path", { d: "M14 2L23 26L14 21L5 26Z", fill: "#1F2937", stroke: "#fff",
        "stroke-width": 1.5 }),
      svg("text", { x: 14, y: 35, "text-anchor": "middle", "font-size": 10,
        "font-weight": 700, fill: "#1F2937", stroke: "#fff", "stroke-width": 2.5,
        "paint-order": "stroke" }, "N")),
  );
  return box;
}

function roundSheet(context: Context, round: Round): HTMLElement {
  const { words } = context;
  const number = h("span", { class: "gs-stop" }, String(round.number));
  number.style.background = round.color;
  const stops = round.stops.map((stop) =>
    h("tr", null,
      h("td", { class: "gs-num" }, String(stop.order)),
      h("td", null, stop.name),
      h("td", null, words.text(stop.category)),
      h("td", { class: "gs-num" }, words.text(stop.walk)),
      h("td", { class: "gs-num" }, words.text(stop.arrive)),
      h("td", { class: "gs-num" }, words.text(stop.stay)),
      h("td", { class: "gs-blank" }, "")));
  const turns = round.turns.map((turn, i) =>
    h("tr", null,
      h("td", { class: "gs-num" }, String(i + 1)),
      h("td", null, words.text(turn.text)),
      h("td", null, turn.street),
      h("td", { class: "gs-num" }, words.text(turn.length))));
  const head = (...keys: string[]) =>
    h("thead", null, h("tr", null, ...keys.map((key) => h("th", null, words.say(key)))));
  return h("article", { class: "gs-sheet" },
    h("h2", null, number, ` ${words.text(round.title)}`),
    h("p", null, [round.person, words.text(round.window), words.text(round.length),
      words.text(round.duration), `${words.say("start")}: ${round.start_name}`]
      .filter(Boolean).join(" · ")),
    h("div", { class: "gs-sheet-columns" },
      h("table", null,
        head("order", "stop", "category", "walk_from_last", "arrive_after", "stay", "checked"),
        h("tbody", null, ...stops)),
      turns.length
        ? h("div", { class: "gs-turns" },
            h("table", null, head("order", "turn", "street", "length"),
              h("tbody", null, ...turns)))
        : null));
}

export function sheets(context: Context): HTMLElement {
  const rounds = context.payload.overlays.flatMap((overlay) =>
    overlay.type === "rounds" ? overlay.rounds : []);
  return h("div", { class: "gs-sheets" }, ...rounds.map((round) => roundSheet(context, round)));
}

/** Lay the map out for paper while printing, then put it back. */
export function printable(map: L.Map, payload: Payload, bounds: () => L.LatLngBoundsExpression) {
  let before: { centre: L.LatLng; zoom: number } | null = null;
  window.addEventListener("beforeprint", () => {
    before = { centre: map.getCenter(), zoom: map.getZoom() };
    document.body.classList.add("is-printing");
    map.closePopup();
    map.invalidateSize({ animate: false, pan: false });
    map.fitBounds(bounds(), { animate: false, padding: [8, 8] });
    // Reading a pixel makes a canvas a finished picture; printed as a recording of strokes, what
    // was cleared before would be missing.
    for (const canvas of map.getContainer().querySelectorAll("canvas")) {
      canvas.getContext("2d")?.getImageData(0, 0, 1, 1);
    }
  });
  window.addEventListener("afterprint", () => {
    document.body.classList.remove("is-printing");
    map.invalidateSize({ animate: false, pan: false });
    if (before) map.setView(before.centre, before.zoom, { animate: false });
  });
  document.body.dataset.kind = payload.kind;
}
