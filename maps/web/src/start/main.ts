// The dispatcher's box on the start page: a coordinate in, the responsible cell out.
import "./start.css";

type Answer = Record<string, any>;

const form = document.querySelector<HTMLFormElement>("#locate");
const output = document.querySelector<HTMLElement>("#answer");

function words(name: string): string {
  return form?.dataset[name] ?? name;
}

function show(kind: "wait" | "good" | "bad" | "note", title: string, rows: [string, string][] = []) {
  if (!output) return;
  const heading = document.createElement("div");
  heading.className = "answer-title";
  heading.textContent = title;
  const list = document.createElement("dl");
  for (const [label, value] of rows) {
    const dt = document.createElement("dt");
    const dd = document.createElement("dd");
    dt.textContent = label;
    dd.textContent = value;
    list.append(dt, dd);
  }
  output.dataset.kind = kind;
  output.replaceChildren(heading, list);
  output.hidden = false;
}

/** Two numbers in any usual form: "117.64, 26.26", "117.64 26.26", with full-width commas. */
export function pair(text: string): [number, number] | null {
  const found = text.normalize("NFKC").match(/-?\d+(?:\.\d+)?/g);
  if (!found || found.length !== 2) return null;
  return [Number(found[0]), Number(found[1])];
}

function metres(value: unknown): string {
  const m = Number(value);
  return m < 1000 ? `${m.toFixed(m < 10 ? 1 : 0)} m` : `${(m / 1000).toFixed(1)} km`;
}

interface Area {
  level: string;
  code: string | null;
  name: string | null;
}
interface Holder {
  name: string | null;
  person_id: string | null;
  unit_name: string | null;
  unit_id: string | null;
}

const roles: Record<string, string> = JSON.parse(form?.dataset.roles ?? "{}");

function rowsOf(answer: Answer): [string, string][] {
  const rows: [string, string][] = [];
  const named = (one: { name: string | null; code: string | null }) =>
    [one.name, one.code].filter(Boolean).join(" · ");
  rows.push([words("cell"), named(answer.cell)]);
  for (const area of answer.chain as Area[]) {
    if (area.level === "community" || area.level === "subdistrict") {
      rows.push([words(area.level), named(area)]);
    }
  }
  for (const [role, holders] of Object.entries(answer.persons as Record<string, Holder[]>)) {
    const who = holders.map((one) => one.name ?? one.unit_name ?? one.person_id ?? one.unit_id);
    rows.push([roles[role] ?? role, who.join("、")]);
  }
  if (answer.responsible_unit?.name) rows.push([words("unit"), answer.responsible_unit.name]);
  rows.push([words("boundary"), metres(answer.boundary_distance_m)]);
  for (const near of answer.neighbours as { name: string | null; code: string; distance_m: number }[]) {
    rows.push([words("neighbour"), `${named(near)} (${metres(near.distance_m)})`]);
  }
  const point = answer.nearest_point;
  if (point) rows.push([words("point"), `${point.name ?? point.point_id} (${metres(point.distance_m)})`]);
  return rows;
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const at = pair(String(data.get("at") ?? ""));
  if (!at) return show("bad", words("twoNumbers"));
  const query = new URLSearchParams({
    lon: String(at[0]), lat: String(at[1]), datum: String(data.get("datum")),
  });
  show("wait", words("wait"));
  try {
    const response = await fetch(`${form.action}?${query}`, {
      headers: { accept: "application/json", "accept-language": document.documentElement.lang },
    });
    const answer = (await response.json()) as Answer;
    if (!response.ok) {
      const outside = response.status === 404;
      return show(outside ? "note" : "bad", words(outside ? "outside" : "refused"), [
        [words("reason"), String(answer.detail ?? answer.title ?? response.status)],
      ]);
    }
    const doubtful = Boolean(answer.ambiguous || answer.on_border);
    show(doubtful ? "note" : "good", words(doubtful ? "ambiguous" : "found"), rowsOf(answer));
  } catch (error) {
    show("bad", `${words("failed")} (${error instanceof Error ? error.message : error})`);
  }
});
