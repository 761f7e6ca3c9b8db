// The legend says what is asked, what each sign means and how many there are.
import { h, svg } from "./dom";
import type { Words } from "./i18n";
import { swatch } from "./shapes";
import type { Hatch, Theme, ThemeClass } from "./types";

const HATCH_LINES: Record<Hatch, string> = {
  diagonal: "M0 16L16 0M-4 12L12 -4M4 20L20 4M0 8L8 0M8 16L16 8",
  back: "M0 0L16 16M8 0L16 8M0 8L8 16",
  cross: "M0 16L16 0M0 8L8 0M8 16L16 8M0 0L16 16M8 0L16 8M0 8L8 16",
  dense: "M0 4L4 0M0 8L8 0M0 12L12 0M0 16L16 0M4 16L16 4M8 16L16 8M12 16L16 12",
  vertical: "M2 0V16M8 0V16M14 0V16",
  horizontal: "M0 2H16M0 8H16M0 14H16",
  dots: "M3 3h1M9 3h1M15 3h1M3 9h1M9 9h1M15 9h1M3 15h1M9 15h1M15 15h1",
};

export function areaSwatch(one: ThemeClass, patterns: boolean, position: number): SVGElement {
  const box = svg("svg", { width: 22, height: 16, viewBox: "0 0 22 16", "aria-hidden": "true" });
  box.append(
    svg("rect", {
      x: 0.5, y: 0.5, width: 21, height: 15, rx: 2, stroke: "#8A94A6",
      fill: patterns || !one.color ? "#fff" : one.color, "fill-opacity": one.color ? 0.5 : 1,
    }),
  );
  const order: (Hatch | null)[] = [null, "dots", "diagonal", "horizontal", "cross", "dense",
    "vertical", "back"];
  const hatch = patterns && (one.color || one.hatch)
    ? order[(position + 1) % order.length]
    : one.hatch;
  if (hatch) {
    box.append(
      svg("svg", { x: 1, y: 1, width: 20, height: 14, viewBox: "0 0 16 14",
        preserveAspectRatio: "none" },
        svg("path", { d: HATCH_LINES[hatch], stroke: "#6B7280", fill: "none",
          "stroke-width": 1 })),
    );
  }
  return box;
}

export function legendOf(
  words: Words, theme: Theme, kind: "areas" | "points", patterns: boolean,
): HTMLElement {
  const total = theme.classes.reduce((sum, one) => sum + one.count, 0);
  const rows = theme.classes.map((one, i) =>
    h(
      "li",
      null,
      kind === "points"
        ? swatch(one.shape ?? "circle", one.color)
        : areaSwatch(one, patterns, i),
      h("span", { class: "gs-legend-label" }, words.text(one.label)),
      theme.counted === false
        ? null
        : h("span", { class: "gs-num" }, one.count.toLocaleString("en-US")),
    ),
  );
  const parts: (HTMLElement | null)[] = [
    h("div", { class: "gs-legend-title" }, words.text(theme.label),
      theme.unit ? h("span", { class: "gs-unit" }, ` ${words.text(theme.unit)}`) : null),
  ];
  if (kind === "areas" && total > 0 && theme.counted !== false) {
    const bar = h("div", { class: "gs-share", role: "img", "aria-label": words.say("share_bar") });
    for (const one of theme.classes) {
      if (!one.count) continue;
      const piece = h("span", null);
      piece.style.flexGrow = String(one.count);
      piece.style.background = one.color ?? (one.hatch ? "#D9DEE5" : "#fff");
      bar.append(piece);
    }
    parts.push(bar);
  }
  parts.push(h("ul", { class: "gs-legend" }, ...rows));
  return h("div", { class: "gs-legend-block" }, ...parts);
}
