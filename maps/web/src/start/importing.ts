// The planner's form: a file in, its report out; then the draft plan can be published.
import {
  failed, h, headers, language, moment, say, show, showProblem, stageOf, titleOf, type Json,
} from "./dom";
import { carryChoice, lookAhead, takeoverParts } from "./takeover";

const OVER = ["done", "failed", "cancelled"];

const PAIRS = ["mapping", "constants", "decisions"];

/** "field=column" on each line, as the JSON object that the service takes; codes may hold "=". */
function pairs(text: string, codes: boolean): string {
  const found: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const at = codes ? line.lastIndexOf("=") : line.indexOf("=");
    if (at > 0) found[line.slice(0, at).trim()] = line.slice(at + 1).trim();
  }
  return Object.keys(found).length ? JSON.stringify(found) : "";
}

function bodyOf(form: HTMLFormElement): FormData {
  const body = new FormData();
  for (const [name, value] of new FormData(form)) {
    if (value instanceof File ? !value.name : !value.trim()) continue;
    const listed = PAIRS.includes(name);
    body.append(name, listed ? pairs(String(value), name === "decisions") : value);
  }
  return body;
}

/** Follow a job to its end by its events. */
function follow(first: Json, changed: (job: Json) => void): Promise<Json> {
  return new Promise((resolve, reject) => {
    if (OVER.includes(first.state)) return resolve(first);
    const events = new EventSource(first.links.events);
    let last = first;
    events.addEventListener("job", (event) => {
      last = JSON.parse((event as MessageEvent<string>).data) as Json;
      changed(last);
      if (!OVER.includes(last.state)) return;
      events.close();
      resolve(last);
    });
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED) reject(new Error(last.links.events));
    };
  });
}

export function publishForm(planId: string, etag: string | null): HTMLElement {
  const output = h("div", { class: "answer", role: "status", hidden: true });
  const date = h("input", { type: "date", name: "effective_from", "aria-label": say("effective_from") });
  const button = h("button", { type: "submit" }, say("publish"));
  const carry = carryChoice();
  const look = h("a", { class: "more", href: `#${planId}`, role: "button" }, say("takeover_look"));
  look.addEventListener("click", (event) => {
    event.preventDefault();
    void lookAhead(planId, carry.value, output);
  });
  const form = h("form", { class: "publish" },
    h("label", null, say("effective_from"), date),
    h("label", null, say("takeover_carry"), carry), button, look);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const address = `/api/v1/plans/${encodeURIComponent(planId)}`;
      const seen = etag ?? (await fetch(address, { headers })).headers.get("etag") ?? "";
      const response = await fetch(`${address}/publish`, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json", "if-match": seen },
        body: JSON.stringify({ effective_from: date.value || null, carry: carry.value }),
      });
      const answer = (await response.json()) as Json;
      if (!response.ok) {
        button.disabled = false;
        return showProblem(output, answer);
      }
      form.hidden = true;
      const hands = answer.takeover ? takeoverParts(answer.takeover) : null;
      show(output, "good", say("published_from", { plan: planId, at: moment(answer.effective_from) }), hands?.rows ?? [],
        hands?.more ?? null,
        h("a", { class: "more", href: `/maps/coverage?language=${language}` }, say("start_coverage")));
    } catch (error) {
      button.disabled = false;
      failed(output, error);
    }
  });
  return h("div", null, form, output);
}

function report(output: HTMLElement, result: Json): void {
  const rows: [string, string][] = [
    [say("import_rows"), `${result.imported} / ${result.rows}`],
  ];
  for (const [key, count] of Object.entries((result.placements ?? {}) as Record<string, number>)) {
    rows.push([say(`placement_${key}`), String(count)]);
  }
  if (result.layer === "cells") rows.push([say("import_repairs"), String(result.repairs)]);
  if (result.moved_area_m2) {
    rows.push([say("import_moved"), `${Number(result.moved_area_m2).toFixed(1)} m²`]);
  }
  if (result.ambiguous?.length) rows.push([say("import_ambiguous"), String(result.ambiguous.length)]);
  if (result.dropped?.length) rows.push([say("import_dropped"), result.dropped.join(", ")]);
  const verdict = result.certificate;
  if (verdict) rows.push([say("certificate"), say(verdict.ok ? "certificate_ok" : "certificate_stands")]);
  if (result.plan_id) rows.push([say("plan"), result.plan_id]);
  const notes = ((result.notes ?? []) as Json[]).map((note) => h("li", null, String(note[language])));
  const plan = result.plan_id && !result.dry_run ? String(result.plan_id) : null;
  show(output, verdict && !verdict.ok ? "note" : "good",
    say(result.dry_run ? "import_tried" : "import_done"), rows,
    notes.length ? h("ul", { class: "notes" }, ...notes) : null,
    plan
      ? h("a", { class: "more", href: `/maps/plan?plan=${encodeURIComponent(plan)}&language=${language}` },
          say("import_plan_map"))
      : null,
    plan ? publishForm(plan, null) : null);
}

export function importing(form: HTMLFormElement, output: HTMLElement): void {
  const button = form.querySelector<HTMLButtonElement>("button[type=submit]")!;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    show(output, "wait", say("import_sending"));
    try {
      const response = await fetch(form.action, { method: "POST", headers, body: bodyOf(form) });
      const job = (await response.json()) as Json;
      if (!response.ok) return showProblem(output, job);
      const bar = h("progress", { max: 1, value: 0 });
      const stage = h("div", { class: "stage" });
      const cancel = h("button", { type: "button", class: "quiet" }, say("cancel"));
      cancel.addEventListener("click", async () => {
        cancel.disabled = true;
        const answer = await fetch(job.links.self, { method: "DELETE", headers });
        // Over before the wish arrived: its end is on the way and says so.
        if (answer.ok) told((await answer.json()) as Json);
      });
      show(output, "wait", titleOf(job.title), [], bar, stage, cancel);
      let seen = 0;
      const told = (now: Json) => {
        if (now.version < seen) return;
        seen = now.version;
        bar.value = now.progress;
        stage.textContent = `${say(`job_${now.state}`)} ${stageOf(now.stage)} ${Math.round(now.progress * 100)} %`;
      };
      told(job);
      const end = await follow(job, told);
      // The stream may have been opened in another language than the page.
      const last = (await (await fetch(job.links.self, { headers })).json()) as Json;
      if (end.state === "done") report(output, last.result);
      else if (end.state === "cancelled") show(output, "note", say("import_cancelled"));
      else showProblem(output, last.problem ?? { detail: last.state });
    } catch (error) {
      failed(output, error);
    } finally {
      button.disabled = false;
    }
  });
}
