// What changes hands with a plan: before it is published, after, and when it is taken back.
import { failed, h, headers, language, say, show, showProblem, type Json } from "./dom";

const SHOWN = 12;

/** The rows of what changes hands, the first vacancies by name, and the whole list as a file. */
export function takeoverParts(found: Json): { rows: [string, string][]; more: HTMLElement } {
  const n = found.counts as Record<string, number>;
  const vacant = (found.rows as Json[]).filter((row) => row.becomes === "vacant");
  const items = vacant.slice(0, SHOWN)
    .map((row) => h("li", null, `${row.key} ${row.name ?? ""} ${row.role} ← ${row.before}`));
  if (vacant.length > SHOWN) items.push(h("li", null, `… ${vacant.length - SHOWN}`));
  const address = `/api/v1/plans/${encodeURIComponent(found.new_plan)}/diff`;
  const query = new URLSearchParams({ since: found.old_plan, carry: found.carry, f: "csv" });
  return {
    rows: [
      [say("takeover_duties"), String(n.duties)],
      [say("takeover_carried"), String(n.duties_carried)],
      [say("takeover_moved"), `${n.points}, ${n.staff}, ${n.facilities}`],
      [say("takeover_vacant"), String(n.roles_vacant)],
    ],
    more: h("div", null, h("ul", { class: "notes" }, ...items),
      h("a", { class: "more", href: `${address}?${query}` }, say("takeover_list"))),
  };
}

export function carryChoice(): HTMLSelectElement {
  return h("select", { name: "carry", "aria-label": say("takeover_carry") },
    ...["none", "merged", "all"].map((one) => h("option", { value: one }, say(`takeover_${one}`))));
}

/** Shows what publishing a draft with a choice would change, without publishing it. */
export async function lookAhead(planId: string, carry: string, output: HTMLElement): Promise<void> {
  try {
    const address = `/api/v1/plans/${encodeURIComponent(planId)}/diff?carry=${carry}`;
    const response = await fetch(address, { headers });
    const answer = (await response.json()) as Json;
    if (!response.ok) {
      if (response.status === 422) return show(output, "note", say("takeover_first"));
      return showProblem(output, answer);
    }
    const { rows, more } = takeoverParts(answer.takeover);
    show(output, "note", say("takeover_look"), rows, more);
  } catch (error) {
    failed(output, error);
  }
}

export function withdrawForm(planId: string, etag: string): HTMLElement {
  const output = h("div", { class: "answer", role: "status", hidden: true });
  const reason = h("input", { name: "reason", required: true, maxlength: 500,
    placeholder: say("reason"), "aria-label": say("reason") });
  const button = h("button", { type: "submit", class: "quiet" }, say("withdraw"));
  const form = h("form", { class: "withdraw" }, h("label", null, say("reason"), reason), button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const address = `/api/v1/plans/${encodeURIComponent(planId)}/withdraw`;
      const response = await fetch(address, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json", "if-match": etag },
        body: JSON.stringify({ reason: reason.value }),
      });
      const answer = (await response.json()) as Json;
      if (!response.ok) {
        button.disabled = false;
        return showProblem(output, answer);
      }
      form.hidden = true;
      show(output, "good", say("takeover_withdrawn", { plan: planId }), [],
        h("a", { class: "more", href: `/?language=${language}` }, say("start_plans")));
    } catch (error) {
      button.disabled = false;
      failed(output, error);
    }
  });
  return h("div", null, form, output);
}
