// Both languages travel with the page, so the switch needs no server.
import type { Language, Payload, Text, Value } from "./types";

export class Words {
  language: Language;

  constructor(private readonly payload: Payload) {
    this.language = payload.language;
  }

  /** A phrase of the catalogue with {name} fields filled in. */
  say(key: string, fields: Record<string, string | number> = {}): string {
    const found = this.payload.messages[this.language][key] ?? key;
    return found.replace(/\{(\w+)\}/g, (whole, name) =>
      name in fields ? String(fields[name]) : whole,
    );
  }

  text(text: Text | undefined): string {
    if (text === undefined) return "";
    return typeof text === "string" ? text : text[this.language];
  }

  value(value: Value): string {
    if (value === null) return "—";
    return typeof value === "number" ? value.toLocaleString("en-US") : this.text(value);
  }

  choose(language: Language): void {
    this.language = language;
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }
}
