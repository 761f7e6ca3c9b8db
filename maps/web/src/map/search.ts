// Search by name or code over everything on the map; keyboard first.
import { normal, type Found } from "./context";
import { h } from "./dom";
import type { Words } from "./i18n";

const MOST = 12;

export function rank(items: Found[], query: string): Found[] {
  const wanted = normal(query);
  if (!wanted) return [];
  const scored: { item: Found; score: number }[] = [];
  for (const item of items) {
    const at = item.key.indexOf(wanted);
    if (at >= 0) scored.push({ item, score: at * 1000 + item.key.length });
  }
  scored.sort((a, b) => a.score - b.score);
  return scored.slice(0, MOST).map((one) => one.item);
}

export function searchBox(words: Words, items: () => Found[]): HTMLElement {
  const list = h("ul", { class: "gs-results", id: "gs-results", role: "listbox", hidden: true });
  const input = h("input", {
    type: "search", class: "gs-search-input", placeholder: words.say("search_hint"),
    "aria-label": words.say("search_hint"), role: "combobox", "aria-expanded": "false",
    "aria-controls": "gs-results", autocomplete: "off", spellcheck: "false",
  });
  let all: Found[] | null = null;
  let found: Found[] = [];
  let active = 0;
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
  };
  const take = (i: number) => {
    close();
    input.blur();
    found[i]?.open();
  };
  const mark = () =>
    [...list.children].forEach((child, i) => {
      child.setAttribute("aria-selected", String(i === active));
      if (i === active) child.scrollIntoView({ block: "nearest" });
    });
  const refresh = () => {
    all ??= items();
    found = rank(all, input.value);
    active = 0;
    list.replaceChildren(
      ...found.map((item, i) =>
        h("li", { role: "option", onmousedown: ((event: Event) => {
            event.preventDefault();
            take(i);
          }) as EventListener },
          h("span", null, item.label),
          h("span", { class: "gs-result-detail" }, item.detail())),
      ),
    );
    if (!found.length && input.value.trim()) {
      list.append(h("li", { class: "gs-none" }, words.say("nothing_found")));
    }
    list.hidden = !input.value.trim();
    input.setAttribute("aria-expanded", String(!list.hidden));
    mark();
  };
  input.addEventListener("input", refresh);
  input.addEventListener("focus", () => input.value && refresh());
  input.addEventListener("blur", () => setTimeout(close, 150));
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") active = Math.min(active + 1, found.length - 1);
    else if (event.key === "ArrowUp") active = Math.max(active - 1, 0);
    else if (event.key === "Enter") return take(active);
    else if (event.key === "Escape") return close();
    else return;
    event.preventDefault();
    mark();
  });
  return h("div", { class: "gs-search" }, input, list);
}
