// A3 landscape: map three quarters, legend and tables right; then a page for each round.
import L from "leaflet";
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
  const { words, payload } = context;
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
  return h("article", { class: "gs-sheet gs-round-sheet" },
    h("h2", null, number, ` ${words.text(round.title)}`),
    h("p", null, words.text(payload.question)),
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
        : null),
    // The sheet is carried without its map: it says itself what it was made from.
    h("p", { class: "gs-made-from" }, payload.facts
      .map(({ label, value }) => `${words.text(label)}: ${words.text(value)}`).join(" · ")));
}

/** The lists of the panel on pages of their own, which break between rows. */
export function listSheet({ payload, words }: Context): HTMLElement {
  const lists = payload.lists.filter((one) => one.rows.length);
  return h("div", { class: lists.length ? "gs-sheet gs-list-sheet" : null },
    ...lists.map((one) =>
      h("section", null,
        h("h2", null, `${words.text(one.label)} (${one.rows.length + one.more})`),
        one.explain ? h("p", null, words.text(one.explain)) : null,
        h("table", null,
          h("thead", null,
            h("tr", null, ...one.columns.map((column) => h("th", null, words.text(column))))),
          h("tbody", null, ...one.rows.map((row) =>
            h("tr", null, ...row.values.map((value) =>
              h("td", { class: typeof value === "number" ? "gs-num" : null },
                words.value(value))))))),
        one.more ? h("p", null, words.say("and_more", { n: one.more })) : null)));
}

export function sheets(context: Context): HTMLElement {
  const rounds = context.payload.overlays.flatMap((overlay) =>
    overlay.type === "rounds" ? overlay.rounds : []);
  return h("div", { class: "gs-sheets" }, ...rounds.map((round) => roundSheet(context, round)));
}

/**
 * Show all canvases as one while printing: on paper a canvas is opaque and would hide those below.
 * Returns how to undo it.
 */
function flatten(map: L.Map): () => void {
  const found = [...map.getContainer().querySelectorAll<HTMLCanvasElement>(".leaflet-pane canvas")];
  if (!found.length) return () => undefined;
  const depth = (one: HTMLCanvasElement) => Number(one.parentElement!.style.zIndex);
  found.sort((a, b) => depth(a) - depth(b));
  const first = found[0];
  const origin = L.DomUtil.getPosition(first);
  const ratio = first.width / (parseFloat(first.style.width) || first.width);
  const paper = h("canvas", { width: first.width, height: first.height });
  paper.style.width = first.style.width;
  paper.style.height = first.style.height;
  L.DomUtil.setPosition(paper, origin);
  const pen = paper.getContext("2d")!;
  pen.fillStyle = "#F2F3F5";
  pen.fillRect(0, 0, paper.width, paper.height);
  for (const one of found) {
    const at = L.DomUtil.getPosition(one).subtract(origin).multiplyBy(ratio);
    pen.drawImage(one, at.x, at.y);
    one.style.visibility = "hidden";
  }
  first.parentElement!.append(paper);
  return () => {
    paper.remove();
    for (const one of found) one.style.visibility = "";
  };
}

/** Lay the map out for paper while printing, then put it back. */
export function printable(map: L.Map, payload: Payload, bounds: () => L.LatLngBoundsExpression) {
  let flat: (() => void) | null = null;
  let before: { centre: L.LatLng; zoom: number } | null = null;
  window.addEventListener("beforeprint", () => {
    before = { centre: map.getCenter(), zoom: map.getZoom() };
    document.body.classList.add("is-printing");
    map.closePopup();
    map.invalidateSize({ animate: false, pan: false });
    map.fitBounds(bounds(), { animate: false, padding: [8, 8] });
    flat = flatten(map);
  });
  window.addEventListener("afterprint", () => {
    flat?.();
    flat = null;
    document.body.classList.remove("is-printing");
    map.invalidateSize({ animate: false, pan: false });
    if (before) map.setView(before.centre, before.zoom, { animate: false });
  });
  document.body.dataset.kind = payload.kind;
}
