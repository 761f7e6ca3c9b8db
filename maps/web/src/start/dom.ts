// What the parts of the start page share: words, elements, answers. Text is always a text node.
export { h } from "../map/dom";
import { h } from "../map/dom";

export type Json = Record<string, any>;
export type Kind = "wait" | "good" | "bad" | "note";

const main = document.querySelector("main");
const catalogue: Record<string, string> = JSON.parse(main?.dataset.words ?? "{}");
export const language = document.documentElement.lang.startsWith("en") ? "en" : "zh";

export function say(key: string, fields: Record<string, string | number> = {}): string {
  return (catalogue[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) =>
    name in fields ? String(fields[name]) : whole);
}

// The last one asks for ways out as the labels of this page call them.
export const headers = {
  accept: "application/json", "accept-language": language, "gridsvc-surface": "page",
};

export function show(
  output: HTMLElement, kind: Kind, title: string, rows: [string, string][] = [],
  ...more: (Node | null)[]
): void {
  output.dataset.kind = kind;
  output.replaceChildren(
    h("div", { class: "answer-title" }, title),
    h("dl", null, ...rows.flatMap(([label, value]) => [h("dt", null, label), h("dd", null, value)])),
    ...more.filter((node): node is Node => node !== null),
  );
  output.hidden = false;
}

export function table(columns: string[], rows: (string | Node)[][]): HTMLElement {
  return h("div", { class: "scroll" },
    h("table", { class: "plain" },
      h("thead", null, h("tr", null, ...columns.map((column) => h("th", null, column)))),
      h("tbody", null, ...rows.map((row) =>
        h("tr", null, ...row.map((value) => h("td", null, value)))))));
}

/** What is wrong, one fault a line, without the columns that no fault fills. */
function faultTable(faults: Json[]): HTMLElement {
  const columns = [
    ["row", "row"], ["field", "field"], ["value", "value"], ["reason", "message"],
    ["way_out", "way_out"],
  ].filter(([, key]) => faults.some((one) => (one[key] ?? "") !== ""));
  return table(columns.map(([word]) => say(word)),
    faults.map((one) => columns.map(([, key]) => String(one[key] || "—"))));
}

/** A problem of the service in full: what, where, and the way out. */
export function showProblem(output: HTMLElement, problem: Json, title = ""): void {
  const faults = (problem.errors ?? []) as Json[];
  const detail = String(problem.detail ?? problem.status);
  // The detail lists the first faults as lines; here they all stand in the table.
  const rows: [string, string][] = [
    [say("reason"), faults.length ? detail.split("\n")[0] : detail],
  ];
  const more = Number(problem.count ?? 0) - faults.length;
  show(output, "bad", title || String(problem.title ?? say("locate_failed")), rows,
    faults.length ? faultTable(faults) : null,
    faults.length && more > 0 ? h("p", null, say("and_more", { n: more })) : null);
}

export function failed(output: HTMLElement, error: unknown): void {
  show(output, "bad", `${say("locate_failed")} (${error instanceof Error ? error.message : error})`);
}

/** An instant as 2026-11-22 14:05 in the reader's zone. */
// Instants are those of the city, wherever the reader is.
const clock = new Intl.DateTimeFormat("sv-SE", {
  dateStyle: "short", timeStyle: "short", timeZone: main?.dataset.timezone ?? "Asia/Shanghai",
});

export function moment(text: string | null | undefined): string {
  return text ? clock.format(new Date(text)) : "—";
}

const phrase = (key: string, otherwise: string): string => {
  const found = say(key);
  return found === key ? otherwise : found;
};

/** What a job is doing, in the page's language. */
export const stageOf = (stage: string): string => phrase(`stage_${stage}`, stage);

/** "cells.zip → cells" with the layer by its name. */
export function titleOf(title: unknown): string {
  const [file, layer] = String(title).split(" → ");
  return layer ? `${file} → ${phrase(`layer_${layer}`, layer)}` : file;
}
