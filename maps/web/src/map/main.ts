// Entry of every map page: folium makes the Leaflet map, this fills it from the page's document.
import L from "leaflet";
import "leaflet/dist/leaflet.css";
import "./map.css";
import { drawBase, Labels } from "./base";
import { GridCanvas } from "./canvas";
import { CellLayer } from "./cells";
import { CLOSE, type Context, type Found } from "./context";
import { CellsInView } from "./detail";
import { convert, type Datum } from "./datum";
import { clear, h } from "./dom";
import { Decoder } from "./geometry";
import { Words } from "./i18n";
import { unpack } from "./packing";
import { Topology } from "./topology";
import { areas, edges, findings, points, type Shown } from "./overlays";
import { headerLinks, panelContent, type Parts } from "./panel";
import { moreMenu } from "./menu";
import { markPlace } from "./place";
import { pointerControl } from "./pointer";
import { listSheet, north, printable, sheets } from "./print";
import { RoundLayer } from "./rounds";
import { searchBox } from "./search";
import { Sheet } from "./sheet";
import type { Overlay, Payload } from "./types";

const PANES: [string, number, boolean][] = [
  ["base", 210, false], ["cells", 410, true], ["edges", 420, false], ["routes", 430, false],
  ["select", 440, false], ["points", 460, true], ["labels", 480, false],
  ["signs", 500, true],
];

function make(context: Context, overlay: Overlay): Shown {
  switch (overlay.type) {
    case "points": return points(context, overlay);
    case "areas": return areas(context, overlay);
    case "edges": return edges(context, overlay);
    case "findings": return findings(context, overlay);
    case "rounds": return new RoundLayer(context, overlay);
  }
}

/** Say that the map is coming, let that be painted, then draw. */
function start(map: L.Map, documentId: string): void {
  const source = document.getElementById(documentId)!;
  const payload = unpack(JSON.parse(source.textContent!) as Payload);
  const words = new Words(payload);
  const waiting = h("div", { class: "gs-waiting", role: "status" },
    h("strong", null, words.text(payload.title)), h("span", null, words.say("drawing")));
  document.body.append(waiting);
  let begun = false;
  const begin = () => {
    if (begun) return;
    begun = true;
    try {
      draw(map, payload, words);
    } finally {
      waiting.remove();
    }
  };
  // Frames stop in a hidden tab; the timer then begins.
  requestAnimationFrame(() => setTimeout(begin, 0));
  setTimeout(begin, 500);
}

function draw(map: L.Map, payload: Payload, words: Words): void {
  const display = (payload.tiles?.datum ?? "wgs84") as Datum;
  const decoder = new Decoder(payload.scale, display);

  for (const [name, z, events] of PANES) {
    const pane = map.createPane(name);
    pane.style.zIndex = String(z);
    if (!events) pane.style.pointerEvents = "none";
  }
  const canvas = Object.fromEntries(
    (["base", "cells", "edges", "routes", "select"] as const).map((pane) => [
      pane, new GridCanvas({ pane, padding: 0.2 }),
    ]),
  ) as Context["canvas"];
  const context: Context = {
    map, payload, words, decoder, topology: new Topology(payload, decoder), canvas, svg: L.svg({ pane: "points", padding: 0.2 }),
    patterns: false, covered: () => 0, reveal: () => undefined, large: window.innerWidth >= 2560 ? 2 : 1,
  };

  // The frame: header, map, panel. Folium's element becomes the map.
  const element = map.getContainer();
  const header = h("header", { class: "gs-header" });
  const content = h("div", { class: "gs-panel-content" });
  const panel = h("aside", { class: "gs-panel" });
  const fold = h("button", { type: "button", class: "gs-fold" });
  const frame = h("div", { class: "gs-frame" });
  element.before(frame);
  frame.append(header, element, panel, fold);
  const sheet = new Sheet(panel, words, () => undefined);
  panel.append(sheet.handle, content);
  context.covered = () => sheet.covered();
  context.reveal = () => sheet.lower();
  const printed = h("div", { class: "gs-printed" });
  frame.after(printed);
  fold.addEventListener("click", () => {
    frame.classList.toggle("is-folded");
    map.invalidateSize({ animate: false });
    chrome();
  });

  map.invalidateSize({ animate: false, pan: false });
  const [west, south, east, north_] = payload.bounds;
  const bounds = L.latLngBounds(
    decoder.point(west * payload.scale, south * payload.scale),
    decoder.point(east * payload.scale, north_ * payload.scale),
  );
  map.fitBounds(bounds, {
    animate: false, paddingTopLeft: [16, 16],
    paddingBottomRight: [16, 16 + context.covered()],
  });
  if (payload.tiles) {
    L.tileLayer(payload.tiles.url, {
      attribution: undefined, maxZoom: 19, maxNativeZoom: payload.tiles.max_zoom,
    }).addTo(map);
  }
  drawBase(context);
  const cells = payload.cells ? new CellLayer(context) : null;
  const parts: Parts = {
    cells,
    shown: payload.overlays.map((overlay) => ({ overlay, part: make(context, overlay) })),
    repaint: () => {
      cells?.paint();
      for (const { part } of parts.shown) part.repaint?.();
    },
    again: () => {
      cells?.stepBack(covering());
      chrome();
    },
  };
  /** Whether a surface lies over the cells. */
  const covering = () => parts.shown.some(({ overlay, part }) =>
    overlay.type === "areas" && overlay.over === true && map.hasLayer(part.layer));
  for (const { overlay, part } of parts.shown) if (overlay.on) map.addLayer(part.layer);
  if (payload.detail) new CellsInView(context, payload.detail);
  const labels = new Labels(context);
  const everything = (): Found[] => [
    ...parts.shown.flatMap(({ overlay, part }) =>
      overlay.type === "edges" ? (part.found?.() ?? []) : []),
    ...(cells?.found() ?? []),
    ...parts.shown.flatMap(({ overlay, part }) =>
      overlay.type === "edges" ? [] : (part.found?.() ?? [])),
  ];

  map.attributionControl?.setPrefix(false);
  L.control.scale({ metric: true, imperial: false, position: "bottomleft" }).addTo(map);
  const corner = new L.Control({ position: "bottomleft" });
  corner.onAdd = () => pointerControl(context);
  corner.addTo(map);
  const compass = new L.Control({ position: "topright" });
  compass.onAdd = north;
  compass.addTo(map);

  function switchLanguage(): void {
    words.choose(words.language === "zh" ? "en" : "zh");
    if (!payload.exported && location.protocol.startsWith("http")) {
      // A reload keeps the language.
      const address = new URL(location.href);
      address.searchParams.set("language", words.language);
      history.replaceState(null, "", address);
    }
    map.closePopup();
    corner.remove();
    corner.addTo(map);
    labels.place();
    chrome();
  }

  function chrome(): void {
    document.title = `${words.text(payload.title)} · ${words.say("product")}`;
    const scroll = content.scrollTop;
    const query = header.querySelector<HTMLInputElement>(".gs-search-input")?.value ?? "";
    clear(header);
    clear(content);
    header.append(
      payload.home !== null && !payload.exported
        ? h("a", { class: "gs-brand", href: payload.home }, words.say("product"))
        : h("span", { class: "gs-brand" }, words.say("product")),
      h("h1", null, words.text(payload.title)),
      searchBox(words, everything),
      h("nav", { "aria-label": words.say("maps") },
        ...(payload.exported ? [] : headerLinks(payload, words)),
        payload.download && !payload.exported
          ? h("a", { class: "gs-nav gs-wide", href: payload.download, download: true },
              words.say("download"))
          : null,
        h("button", { type: "button", class: "gs-nav gs-wide", onclick: () => window.print() },
          words.say("print")),
        h("button", { type: "button", class: "gs-nav gs-language", lang: "mul",
          onclick: switchLanguage }, words.language === "zh" ? "English" : "中文")),
      moreMenu(payload, words, switchLanguage),
    );
    const input = header.querySelector<HTMLInputElement>(".gs-search-input");
    if (input) input.value = query;
    const folded = frame.classList.contains("is-folded");
    fold.textContent = folded ? "‹" : "›";
    fold.setAttribute("aria-label", words.say(folded ? "unfold" : "fold"));
    content.append(...panelContent(context, parts));
    content.scrollTop = scroll;
    printed.replaceChildren(listSheet(context), sheets(context));
  }

  /** Open on the cell or community that the address names. */
  function focus(): void {
    const asked = new URLSearchParams(location.search);
    const cell = asked.get("cell");
    markPlace(context);
    const community = asked.get("community");
    if (cell && cells?.open(cell)) return;
    if (!community || payload.kind === "patrol") return;
    for (const { overlay, part } of parts.shown) {
      if (overlay.type !== "edges" || overlay.level !== "community") continue;
      const i = overlay.codes.indexOf(community);
      if (i >= 0) part.found?.()[i].open();
    }
  }

  words.choose(payload.language);
  chrome();
  labels.place();
  printable(map, payload, () => bounds);
  map.on("click", () => map.closePopup());
  let close = map.getZoom() >= CLOSE;
  map.on("zoomend", () => {
    if (close === map.getZoom() >= CLOSE) return;
    close = !close;
    chrome();
  });
  focus();
  document.documentElement.dataset.ready = "true";
}

/** Text for popups and tooltips of notebooks: always a text node. */
function text(content: string): HTMLElement {
  return h("div", { class: "gs-text" }, content);
}

Object.assign(window, { L, gridsvc: { start, text, datum: { convert } } });
