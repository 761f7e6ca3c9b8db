// The start page: locate, import, publish, and small tables; works on with plain links without it.
import "./start.css";
import { importing, publishForm } from "./importing";
import { withdrawForm } from "./takeover";
import { locating } from "./locate";
import { tables } from "./tables";

const one = <T extends HTMLElement>(selector: string) => document.querySelector<T>(selector);

const locate = one<HTMLFormElement>("#locate");
const answer = one("#answer");
if (locate && answer) locating(locate, answer);

const form = one<HTMLFormElement>("#import");
const report = one("#report");
if (form && report) importing(form, report);

for (const place of document.querySelectorAll<HTMLElement>("[data-withdraw]")) {
  place.append(withdrawForm(place.dataset.withdraw!, place.dataset.etag ?? ""));
}
for (const place of document.querySelectorAll<HTMLElement>("[data-publish]")) {
  place.append(publishForm(place.dataset.publish!, place.dataset.etag ?? null));
}

const sheet = one("#sheet");
if (sheet) tables(document.querySelectorAll<HTMLAnchorElement>("a[data-table]"), sheet);
