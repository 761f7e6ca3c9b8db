// On narrow screens everything of the header that has no room there is in one menu.
import { h } from "./dom";
import type { Words } from "./i18n";
import { headerLinks } from "./panel";
import type { Payload } from "./types";

export function moreMenu(payload: Payload, words: Words, switchLanguage: () => void): HTMLElement {
  const button = h("summary", { class: "gs-nav", role: "button", "aria-label": words.say("more") },
    "⋯");
  const items = h("div", { class: "gs-menu" },
    payload.home !== null && !payload.exported
      ? h("a", { class: "gs-nav", href: payload.home }, words.say("home"))
      : null,
    ...(payload.exported ? [] : headerLinks(payload, words)),
    payload.download && !payload.exported
      ? h("a", { class: "gs-nav", href: payload.download, download: true }, words.say("download"))
      : null,
    h("button", { type: "button", class: "gs-nav", onclick: () => window.print() },
      words.say("print")),
    h("button", { type: "button", class: "gs-nav", lang: "mul", onclick: switchLanguage },
      words.language === "zh" ? "English" : "中文"));
  const menu = h("details", { class: "gs-more" }, button, items);
  const close = () => {
    menu.open = false;
  };
  const outside = (event: Event) => {
    if (!menu.contains(event.target as Node)) close();
  };
  menu.addEventListener("toggle", () => {
    if (menu.open) document.addEventListener("pointerdown", outside, true);
    else document.removeEventListener("pointerdown", outside, true);
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    close();
    button.focus();
  });
  items.addEventListener("click", close);
  return menu;
}
