// The dispatcher's box: a coordinate in, the responsible cell out.
import { failed, h, headers, language, say, show, type Json } from "./dom";

/** Two numbers as people write or paste them: separated by a comma of any width, space, ; / 、 */
export function pair(text: string): [number, number] | null {
  const plain = text.normalize("NFKC").replace(/(\d)。(\d)/g, "$1.$2").replace(/[−–]/g, "-").trim();
  const found = /^[^\d.+-]*([+-]?\d+(?:\.\d+)?)°?[\s,;\/|、NSEWnsew]+([+-]?\d+(?:\.\d+)?)°?\D*$/.exec(plain);
  return found ? [Number(found[1]), Number(found[2])] : null;
}

function metres(value: unknown): string {
  const m = Number(value);
  return m < 1000 ? `${m.toFixed(m < 10 ? 1 : 0)} m` : `${(m / 1000).toFixed(1)} km`;
}

/** By when, on the city's clock, and the rule that says so. */
function due(deadline: Json): string {
  const why = language === "zh" ? deadline.reason_zh : deadline.reason_en;
  if (!deadline.due_at) return why;
  const parts = new Intl.DateTimeFormat("sv-SE", {
    dateStyle: "short", timeStyle: "short", timeZone: deadline.timezone,
  });
  return `${parts.format(new Date(deadline.due_at))} · ${why}`;
}

interface Named {
  name: string | null;
  code: string | null;
}

function rowsOf(answer: Json, roles: Record<string, string>): [string, string][] {
  const rows: [string, string][] = [];
  const named = (one: Named) => [one.name, one.code].filter(Boolean).join(" · ");
  rows.push([say("cell"), named(answer.cell)]);
  for (const area of answer.chain as (Named & { level: string })[]) {
    if (area.level === "community" || area.level === "subdistrict") {
      rows.push([say(area.level), named(area)]);
    }
  }
  for (const [role, holders] of Object.entries(answer.persons as Record<string, Json[]>)) {
    const who = holders.map((one) => one.name ?? one.unit_name ?? one.person_id ?? one.unit_id);
    rows.push([roles[role] ?? role, who.join(language === "zh" ? "、" : ", ")]);
  }
  for (const nobody of answer.unknown_holders as Json[]) {
    const said = language === "zh" ? nobody.reason_zh : nobody.reason_en;
    rows.push([roles[nobody.role] ?? nobody.role, said]);
  }
  const unit = answer.responsible_unit;
  const why = language === "zh" ? unit.reason_zh : unit.reason_en;
  rows.push([say("locate_unit"), unit.name ? `${unit.name} · ${why}` : why]);
  if (answer.deadline) rows.push([say("locate_due"), due(answer.deadline)]);
  rows.push([say("locate_boundary"), metres(answer.boundary_distance_m)]);
  for (const near of answer.neighbours as (Named & { distance_m: number })[]) {
    rows.push([say("locate_neighbour"), `${named(near)} (${metres(near.distance_m)})`]);
  }
  const point = answer.nearest_point;
  if (point) {
    rows.push([say("locate_point"), `${point.name ?? point.point_id} (${metres(point.distance_m)})`]);
  }
  return rows;
}

function mapLink(cell: string, place: { lon: number; lat: number } | null): HTMLElement {
  const mark = place ? `#place=${place.lon},${place.lat}` : "";
  const href = `/maps/coverage?cell=${encodeURIComponent(cell)}&language=${language}${mark}`;
  return h("a", { class: "more", href }, say("locate_on_map"));
}

export function locating(form: HTMLFormElement, output: HTMLElement): void {
  const roles: Record<string, string> = JSON.parse(form.dataset.roles ?? "{}");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const at = pair(String(data.get("at") ?? ""));
    if (!at) return show(output, "bad", say("locate_two_numbers"));
    const query = new URLSearchParams({
      lon: String(at[0]), lat: String(at[1]), datum: String(data.get("datum")),
    });
    for (const name of ["accuracy", "category", "when"]) {
      const value = String(data.get(name) ?? "").trim();
      if (value) query.set(name === "when" ? "at" : name, value);
    }
    show(output, "wait", say("locate_wait"));
    try {
      // Answers of this address are always 200, so that a place outside is no error of the page.
      const response = await fetch(`/start/locate?${query}`, { headers });
      const answer = (await response.json()) as Json;
      if (answer.status) {
        const outside = answer.status === 404;
        const near = answer.nearest_cell;
        return show(output, outside ? "note" : "bad",
          say(outside ? "locate_outside" : "locate_refused"),
          [[say("reason"), String(answer.detail ?? answer.title)]],
          near ? mapLink(String(near), null) : null);
      }
      const doubtful = Boolean(answer.ambiguous || answer.on_border);
      show(output, doubtful ? "note" : "good", say(doubtful ? "locate_ambiguous" : "locate_found"),
        rowsOf(answer, roles), mapLink(String(answer.cell.code), answer.stored ?? null));
    } catch (error) {
      failed(output, error);
    }
  });
}
