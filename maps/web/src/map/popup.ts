// The card of a feature: a title and its rows, all as text nodes.
import { h } from "./dom";
import type { Words } from "./i18n";
import type { Rows, Value } from "./types";

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
    sub ? h("div", { class: "gs-card-sub" }, sub) : null,
    rows.length
      ? h(
          "dl",
          null,
          ...rows.flatMap(({ label, value }) => [h("dt", null, label), h("dd", null, value)]),
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
