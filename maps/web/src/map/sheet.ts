// On a phone the panel is a sheet from below with three heights.
import { h } from "./dom";
import type { Words } from "./i18n";

const HEIGHTS = ["low", "half", "full"] as const;
export type Height = (typeof HEIGHTS)[number];

export class Sheet {
  readonly handle: HTMLButtonElement;
  private height: Height = "low";

  constructor(
    private readonly panel: HTMLElement,
    words: Words,
    private readonly changed: () => void,
  ) {
    this.handle = h("button", { type: "button", class: "gs-handle",
      "aria-label": words.say("panel_height") }, h("span", null));
    let from: number | null = null;
    let moved = 0;
    this.handle.addEventListener("pointerdown", (event) => {
      from = event.clientY;
      moved = 0;
      this.handle.setPointerCapture(event.pointerId);
    });
    this.handle.addEventListener("pointermove", (event) => {
      if (from !== null) moved = event.clientY - from;
    });
    this.handle.addEventListener("pointerup", () => {
      if (from === null) return;
      from = null;
      const at = HEIGHTS.indexOf(this.height);
      if (moved < -24) this.set(HEIGHTS[Math.min(at + 1, 2)]);
      else if (moved > 24) this.set(HEIGHTS[Math.max(at - 1, 0)]);
      else this.set(HEIGHTS[(at + 1) % 3]);
    });
    this.handle.addEventListener("keydown", (event) => {
      const at = HEIGHTS.indexOf(this.height);
      if (event.key === "ArrowUp") this.set(HEIGHTS[Math.min(at + 1, 2)]);
      else if (event.key === "ArrowDown") this.set(HEIGHTS[Math.max(at - 1, 0)]);
      else if (event.key === "Enter" || event.key === " ") this.set(HEIGHTS[(at + 1) % 3]);
      else return;
      event.preventDefault();
    });
    this.set("low");
  }

  set(height: Height): void {
    this.height = height;
    this.panel.dataset.height = height;
    this.changed();
  }

  /** Step back from what is shown on the map. */
  lower(): void {
    if (this.height === "full" || this.covered() > window.innerHeight / 2) this.set("low");
  }

  /** Pixels of the map that the sheet covers. */
  covered(): number {
    if (getComputedStyle(this.handle).display === "none") return 0;
    const full = window.innerHeight - 48;
    return this.height === "low" ? 168 : this.height === "half" ? full * 0.5 : full;
  }
}
