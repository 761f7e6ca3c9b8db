// The card of a feature: a title and its rows, all as text nodes.
import type L from "leaflet";
import type { Context } from "./context";
import { h } from "./dom";
import type { Words } from "./i18n";
import type { Rows, Value } from "./types";

export function popupOptions(context: Context): L.PopupOptions {
  return {
    minWidth: 220 * context.large, maxWidth: 320 * context.large,
    autoPanPaddingTopLeft: [12, 12], autoPanPaddingBottomRight: [12, 12 + context.covered()],
  };
}

/** Pixels above a place that its card needs: as many as it usually has, at most half the map. */
export function cardRoom({ map, large }: Context): number {
  return Math.min(300 * large, map.getSize().y / 2);
}

/** Codes, dates and figures stay on one line. */
const whole = (text: string): string | null =>
  /^[\x20-\x7e—–·]{1,26}$/.test(text) ? "gs-whole" : null;

export function card(
  words: Words,
  title: string,
  sub: string,
  rows: { label: string; value: string }[],
): HTMLElement {
  return h(
    "div",
    { class: "gs-card" },
    h("div", { class: "gs-card-title" }, title || words.say("unnamed")),
    sub ? h("div", { class: sub.length <= 30 ? "gs-card-sub gs-whole" : "gs-card-sub" }, sub) : null,
    rows.length
      ? h(
          "dl",
          null,
          ...rows.flatMap(({ label, value }) => [h("dt", null, label),
            h("dd", { class: whole(value) }, value)]),
        )
      : null,
  );
}

export function rowsAt(words: Words, rows: Rows[], i: number): { label: string; value: string }[] {
  return rows
    .map((row) => ({ label: words.text(row.label), raw: row.values[i] as Value }))
    .filter(({ raw }) => raw !== undefined)
    .map(({ label, raw }) => ({ label, value: words.value(raw) }));
}
