// Cases and jobs as small tables in the page, where a link would only lead to JSON.
import { failed, h, headers, moment, say, showProblem, table, titleOf, type Json } from "./dom";

async function ask(address: string): Promise<{ ok: boolean; answer: Json }> {
  const response = await fetch(address, { headers });
  return { ok: response.ok, answer: (await response.json()) as Json };
}

const known = (key: string, value: unknown): string => {
  const found = say(`${key}_${value}`);
  return found === `${key}_${value}` ? String(value ?? "—") : found;
};

/** A name with its code beside it, for those who go by codes. */
function named(name: string | null, code: string | null): Node {
  const code_ = h("span", { class: "code-beside" }, name && code ? code : "");
  return h("span", null, name ?? code ?? "—", " ", code_);
}

/** The deadline, and in words and colour that it was missed. */
function due(one: Json): Node {
  return h("span", null, moment(one.deadline),
    one.overdue ? h("b", { class: "overdue" }, say(one.closed_at ? "case_closed_late" : "case_overdue")) : "");
}

function cases(answer: Json): HTMLElement {
  return table(
    [say("reported_at"), say("case"), say("class"), say("status"), say("locate_due"), say("cell"), say("locate_unit")],
    (answer.rows as Json[]).map((one) => [
      moment(one.reported_at), String(one.title ?? one.case_id), named(one.class_name, one.class_code),
      known("case", one.status), due(one),
      one.cell_code ? named(one.cell_name, one.cell_code) : known("placement", one.placement),
      String(one.unit_name ?? one.unit_id ?? "—"),
    ]));
}

function jobs(answer: Json): HTMLElement {
  return table(
    [say("job"), say("status"), say("job_begun"), say("job_ended")],
    (answer.jobs as Json[]).map((one) => [
      titleOf(one.title), `${known("job", one.state)} ${Math.round(one.progress * 100)} %`,
      moment(one.created_at), moment(one.finished_at),
    ]));
}

export function tables(links: Iterable<HTMLAnchorElement>, output: HTMLElement): void {
  const open = async (title: string, kind: string, address: string) => {
    try {
      const { ok, answer } = await ask(address);
      if (!ok) return showProblem(output, answer);
      const none = !(answer.rows ?? answer.jobs)?.length;
      const next = ((answer.links ?? []) as Json[]).find((one) => one.rel === "next");
      const more = next ? h("button", { type: "button", class: "quiet" }, say(kind === "cases" ? "earlier" : "next_page")) : null;
      more?.addEventListener("click", () => void open(title, kind, String(next!.href)));
      output.dataset.kind = "table";
      output.replaceChildren(
        h("div", { class: "answer-title" }, title),
        none ? h("p", null, say("none")) : kind === "cases" ? cases(answer) : jobs(answer),
        ...(more ? [more] : []));
      output.hidden = false;
      output.scrollIntoView({ block: "nearest" });
    } catch (error) {
      failed(output, error);
    }
  };
  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      void open(link.querySelector("b")?.textContent ?? "", link.dataset.table!,
        link.dataset.source ?? link.href);
    });
  }
}
