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

const name = (one: Answer | null | undefined): string =>
  one ? [one.name, one.code ?? one.id].filter(Boolean).join(" · ") : "";

function rowsOf(answer: Answer): [string, string][] {
  const rows: [string, string][] = [];
  const put = (label: string, value: string) => value && rows.push([words(label), value]);
  const cell: Answer = typeof answer.cell === "object" && answer.cell ? answer.cell : answer;
  put("cell", [cell.name, cell.code].filter(Boolean).join(" · "));
  put("community", cell.community_name ?? name(answer.community));
  put("subdistrict", cell.subdistrict_name ?? name(answer.subdistrict));
  const persons: Answer[] = answer.persons ?? answer.responsible ?? [];
  if (Array.isArray(persons)) {
    for (const person of persons.slice(0, 8)) {
      rows.push([
        String(person.role_name ?? person.role ?? ""),
        String(person.name ?? person.person_name ?? person.unit_name ?? person.person_id ?? ""),
      ]);
    }
  }
  if (answer.boundary_distance_m !== undefined && answer.boundary_distance_m !== null) {
    put("boundary", metres(answer.boundary_distance_m));
  }
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
    if (!response.ok) return show("bad", String(answer.detail ?? answer.title ?? response.status));
    const code = answer.code ?? answer.cell?.code ?? answer.cell;
    if (!code) {
      return show("note", words("outside"), [
        [words("nearest"), `${answer.nearest_code ?? answer.nearest?.code ?? ""} ${
          answer.nearest_distance_m !== undefined ? metres(answer.nearest_distance_m) : ""}`],
      ]);
    }
    show(answer.ambiguous ? "note" : "good",
      answer.ambiguous ? words("ambiguous") : words("found"), rowsOf(answer));
  } catch (error) {
    show("bad", `${words("failed")} (${error instanceof Error ? error.message : error})`);
  }
});
