// The side panel: answer first, then legend, layers, controls and lists.
import type { CellLayer } from "./cells";
import { CLOSE, type Context } from "./context";
import { h, svg } from "./dom";
import { legendOf } from "./legend";
import type { Shown } from "./overlays";
import { RoundLayer } from "./rounds";
import type { Field, Figure, Listing, ListRow, Overlay, Payload, Theme } from "./types";

export interface Parts {
  cells: CellLayer | null;
  shown: { overlay: Overlay; part: Shown }[];
  repaint: () => void;
  again: () => void;
}

const section = (title: string, ...children: (Node | null)[]) =>
  h("section", { class: "gs-section" }, h("h2", null, title), ...children);

function figures({ payload, words }: Context): HTMLElement | null {
  if (!payload.figures.length) return null;
  return h(
    "div", { class: "gs-figures" },
    ...payload.figures.map((one) => figure(one, words)),
  );
}

/** A figure that lacks something is a button that leads to the list of what it lacks. */
function figure(one: Figure, words: Context["words"]): HTMLElement {
  const parts = [
    h("div", { class: "gs-figure-value gs-num" }, words.text(one.value)),
    one.state ? stateOf(one.state, words) : null,
    h("div", { class: "gs-figure-label" }, words.text(one.label)),
    one.note ? h("div", { class: "gs-figure-note" }, words.text(one.note)) : null,
  ];
  const look = `gs-figure ${one.state ? `is-${one.state}` : ""}`;
  if (!one.leads) return h("div", { class: look }, ...parts);
  const open = (event: Event) => {
    const panel = (event.currentTarget as HTMLElement).closest(".gs-panel");
    const list = panel?.querySelector<HTMLDetailsElement>(`[data-list="${one.leads}"]`);
    if (!list) return;
    list.open = true;
    list.scrollIntoView({ block: "start" });
    list.querySelector("summary")?.focus({ preventScroll: true });
  };
  return h("button", { type: "button", class: `${look} can-open`, onclick: open },
    ...parts, h("div", { class: "gs-figure-more" }, `${words.say("show_list")} ›`));
}

/** An icon and a word, so that the colour of a figure is not all that tells its state. */
function stateOf(state: "good" | "bad", words: Context["words"]): HTMLElement {
  const sign = state === "good" ? "M3 8.5L6.5 12L13 4.5" : "M8 2L15 14H1ZM8 6.5V10M8 11.6V12.6";
  const line = h("div", { class: "gs-figure-state" });
  line.append(
    svg("svg", { width: 14, height: 14, viewBox: "0 0 16 16", "aria-hidden": "true" },
      svg("path", { d: sign, fill: "none", stroke: "currentColor", "stroke-width": 1.6,
        "stroke-linejoin": "round", "stroke-linecap": "round" })),
    words.say(`state_${state}`));
  return line;
}

/** What the figures lack, and the way to it. */
function missing({ payload, words }: Context): HTMLElement | null {
  if (!payload.missing.length) return null;
  const action = payload.exported ? null : payload.controls?.action;
  return h("div", { class: "gs-missing", role: "status" },
    ...payload.missing.map((one) =>
      h("p", null, words.text(one.text),
        one.reset && action
          ? h("a", { class: "gs-button", href: `${action}?language=${words.language}` },
              words.say("period_reset"))
          : null)));
}

function themeChoice(
  name: string, label: string, themes: Theme[], current: Theme | null, context: Context,
  choose: (theme: Theme | null) => void, none: boolean,
): HTMLElement | null {
  if (themes.length < 2 && !none) return null;
  const { words } = context;
  const select = h("select", { name, "aria-label": label });
  themes.forEach((theme, i) => {
    select.append(h("option", { value: i, selected: theme === current }, words.text(theme.label)));
  });
  if (none) {
    select.append(h("option", { value: -1, selected: current === null }, words.say("no_fill")));
  }
  select.addEventListener("change", () => choose(themes[Number(select.value)] ?? null));
  return h("label", { class: "gs-field" }, h("span", null, label), select);
}

function legend(context: Context, parts: Parts): HTMLElement {
  const { map, payload, words } = context;
  const blocks: HTMLElement[] = [];
  const cellTheme = parts.cells?.theme;
  if (cellTheme) blocks.push(legendOf(words, cellTheme, "areas", context.patterns));
  for (const { overlay, part } of parts.shown) {
    const theme = part.theme?.();
    if (!theme || !map.hasLayer(part.layer)) continue;
    const kind = overlay.type === "areas" ? "areas" : "points";
    const block = legendOf(words, theme, kind, context.patterns);
    if (overlay.type === "points" && overlay.below !== undefined) {
      // A sign that is not on the map is not explained on paper.
      if (!part.drawn?.()) block.classList.add("is-unseen");
      block.append(h("p", { class: "gs-hint" }, words.say("zoom_in_below", { n: overlay.below })));
    }
    blocks.push(block);
    if (theme.far && map.getZoom() < CLOSE) {
      blocks.push(h("p", { class: "gs-hint" }, words.text(theme.far_note)));
    }
  }
  const facts = h(
    "dl", { class: "gs-facts" },
    ...payload.facts.flatMap(({ label, value }) => [
      h("dt", null, words.text(label)), h("dd", null, words.text(value)),
    ]),
  );
  const notes = payload.notes.length
    ? h("ul", { class: "gs-notes" },
        ...payload.notes.map((note) => h("li", null, words.text(note))))
    : null;
  return section(words.say("legend"), ...blocks, facts, notes);
}

function layers(context: Context, parts: Parts): HTMLElement {
  const { map, words } = context;
  const rows: (Node | null)[] = [];
  const { cells } = parts;
  if (cells && context.payload.cells!.themes.length) {
    rows.push(
      themeChoice("fill", words.say("cells_show"), context.payload.cells!.themes, cells.theme,
        context, (theme) => { cells.show(theme); parts.again(); }, true),
    );
  }
  for (const { overlay, part } of parts.shown) {
    const box = h("input", { type: "checkbox", checked: map.hasLayer(part.layer),
      "data-layer": overlay.key });
    box.addEventListener("change", () => {
      if (box.checked) map.addLayer(part.layer);
      else map.removeLayer(part.layer);
      parts.again();
    });
    const below = overlay.type === "points" && overlay.below
      ? h("span", { class: "gs-hint" }, words.say("zoom_in_below", { n: overlay.below }))
      : null;
    rows.push(h("label", { class: "gs-check" }, box,
      h("span", null, words.text(overlay.label)), below));
    if (overlay.type === "points" && overlay.themes.length > 1 && part.choose) {
      rows.push(
        themeChoice(`theme-${overlay.key}`, words.say("points_show"), overlay.themes,
          part.theme?.() ?? null, context,
          (theme) => { if (theme) part.choose!(theme); parts.again(); }, false),
      );
    }
  }
  const patterns = h("input", { type: "checkbox", checked: context.patterns,
    "data-layer": "patterns" });
  patterns.addEventListener("change", () => {
    context.patterns = patterns.checked;
    parts.repaint();
    parts.again();
  });
  rows.push(h("label", { class: "gs-check" }, patterns, h("span", null, words.say("patterns"))));
  return section(words.say("layers"), ...rows);
}

function field(context: Context, one: Field, disabled: boolean): HTMLElement {
  const { words } = context;
  let input: HTMLInputElement | HTMLSelectElement;
  if (one.kind === "select") {
    input = h("select", { name: one.name, disabled },
      ...(one.options ?? []).map((option) =>
        h("option", { value: option.value, selected: option.value === one.value },
          words.text(option.label))));
  } else {
    input = h("input", { name: one.name, type: one.kind, value: one.value, disabled });
  }
  return h("label", { class: "gs-field" }, h("span", null, words.text(one.label)), input,
    one.hint ? h("span", { class: "gs-hint" }, words.text(one.hint)) : null);
}

function controls(context: Context): HTMLElement | null {
  const { payload, words } = context;
  if (!payload.controls) return null;
  const off = payload.exported;
  const form = h(
    "form", { class: "gs-form", action: payload.controls.action, method: "get" },
    ...payload.controls.fields.map((one) => field(context, one, off)),
    h("input", { type: "hidden", name: "language", value: words.language }),
    h("button", { type: "submit", class: "gs-button is-first", disabled: off },
      words.say("apply")),
  );
  // Empty fields stay out of the address.
  form.addEventListener("submit", () => {
    for (const element of [...form.elements]) {
      if ("value" in element && element.value === "") (element as HTMLInputElement).disabled = true;
    }
    form.querySelector("button")!.textContent = words.say("loading");
  });
  return section(words.say("filter"), form,
    off ? h("p", { class: "gs-hint" }, words.say("filter_exported")) : null);
}

/** Go where a row of a list leads. */
function lead(context: Context, parts: Parts, row: ListRow): void {
  const { map, decoder } = context;
  context.reveal();
  if (row.cell && parts.cells?.open(row.cell)) return;
  if (row.sign) {
    const layer = parts.shown.find(({ overlay }) => overlay.key === row.sign![0]);
    if (layer?.part.open?.(row.sign[1])) return;
  }
  if (row.xy) map.setView(decoder.point(row.xy[0], row.xy[1]), 16, { animate: false });
}

function listing(context: Context, parts: Parts, one: Listing): HTMLElement {
  const { words } = context;
  const total = one.rows.length + one.more;
  const title = h("summary", null, h("span", null, words.text(one.label)),
    h("span", { class: "gs-count gs-num" }, total.toLocaleString("en-US")));
  if (!one.rows.length) {
    return h("details", { class: "gs-list", "data-list": one.key }, title,
      h("p", { class: "gs-empty" }, words.text(one.empty)));
  }
  const head = h("tr", null, ...one.columns.map((column) => h("th", null, words.text(column))));
  const body = one.rows.map((row) => {
    const open = () => lead(context, parts, row);
    const can = row.cell !== undefined || row.xy !== undefined;
    const line = h("tr", { tabindex: can ? 0 : null, class: can ? "can-open" : null },
      ...row.values.map((value) =>
        h("td", { class: typeof value === "number" ? "gs-num" : null }, words.value(value))));
    if (can) {
      line.addEventListener("click", open);
      line.addEventListener("keydown", (event) => event.key === "Enter" && open());
    }
    return line;
  });
  return h("details", { class: "gs-list", "data-list": one.key, open: true }, title,
    one.explain ? h("p", { class: "gs-hint" }, words.text(one.explain)) : null,
    h("div", { class: "gs-table" },
      h("table", null, h("thead", null, head), h("tbody", null, ...body))),
    one.more ? h("p", { class: "gs-hint" }, words.say("and_more", { n: one.more })) : null);
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/gpx+xml" }));
  const link = h("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function rounds(context: Context, part: RoundLayer): HTMLElement {
  const { words } = context;
  const blocks = part.overlay.rounds.map((round, i) => {
    const box = h("input", { type: "checkbox", checked: !part.hidden.has(i),
      "aria-label": words.say("show_round") });
    box.addEventListener("change", () => part.toggle(i, box.checked));
    const dot = h("span", { class: "gs-dot" });
    dot.style.background = round.color;
    const head = h("div", { class: "gs-round-head" }, box, dot,
      h("button", { type: "button", class: "gs-link", onclick: () => part.zoom(i) },
        words.text(round.title)),
      h("span", { class: "gs-round-sum gs-num" },
        `${words.text(round.length)} · ${words.text(round.duration)}`));
    const sub = h("div", { class: "gs-hint" },
      [round.person, words.text(round.window),
        words.say("walk_and_stay", {
          walk: words.text(round.walking), stay: words.text(round.service) })]
        .filter(Boolean).join(" · "));
    const stops = h("ol", { class: "gs-stops" },
      ...round.stops.map((stop, s) => {
        const number = h("span", { class: "gs-stop is-small" }, String(stop.order));
        number.style.background = round.color;
        return h("li", null, number,
          h("button", { type: "button", class: "gs-link", onclick: () => part.openStop(i, s) },
            stop.name),
          h("span", { class: "gs-stop-figures gs-num" },
            `${words.text(stop.walk)} · ${words.text(stop.arrive)}`));
      }));
    const actions = h("div", { class: "gs-actions" },
      h("button", { type: "button", class: "gs-button",
        onclick: () => save(round.gpx_name, round.gpx) }, "GPX"),
    );
    return h("details", { class: "gs-round", open: i === 0 },
      h("summary", null, head), sub, stops, actions);
  });
  return section(words.say("rounds"), ...blocks);
}

export function panelContent(context: Context, parts: Parts): Node[] {
  const { payload, words } = context;
  const round = parts.shown.find(({ part }) => part instanceof RoundLayer)?.part;
  const nodes: (Node | null)[] = [
    h("div", { class: "gs-question" }, words.text(payload.question)),
    missing(context),
    figures(context),
    round instanceof RoundLayer ? rounds(context, round) : null,
    controls(context),
    legend(context, parts),
    layers(context, parts),
    payload.lists.length
      ? section(words.say("lists"),
          ...payload.lists.map((one) => listing(context, parts, one)))
      : null,
  ];
  return nodes.filter((node): node is Node => node !== null);
}

export function headerLinks(payload: Payload, words: Context["words"]): HTMLElement[] {
  return payload.links.map(({ label, href }) =>
    h("a", { class: "gs-nav", href: `${href}?language=${words.language}` }, words.text(label)));
}
