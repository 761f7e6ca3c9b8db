// The document that Python hands to the browser (maps/payload.py writes it).

/** Text in one form for both languages, or one text per language. */
export type Text = string | { zh: string; en: string };
export type Language = "zh" | "en";
export type Value = Text | number | null;

/** Polygons of one feature: polygon, ring, then x, y as whole steps, each relative to the last. */
export type Area = number[][][];
/** Lines of one feature, encoded like rings. */
export type Lines = number[][];
export type Hatch = "diagonal" | "cross" | "dots" | "vertical" | "horizontal" | "back" | "dense";
export type Shape = "circle" | "ring" | "hollow" | "box" | "square" | "triangle" | "diamond";

/** A column whose repeated values are written once: `of` them, at which position each row has. */
export interface Once<T> {
  of: T[];
  at: number[];
}
export type Packed<T> = T[] | Once<T> | { words: [Once<string>, Once<string>] };

export interface Rows {
  label: Text;
  values: Value[];
}

export interface ThemeClass {
  label: Text;
  color: string | null;
  hatch?: Hatch | null;
  shape?: Shape;
  count: number;
}

/** One way to class features: a class number for each. */
export interface Theme {
  key: string;
  label: Text;
  unit?: Text;
  classes: ThemeClass[];
  index: number[];
  sequential?: boolean;
  /** Positions of the points that are drawn at city zoom too; all without it. */
  far?: number[];
  /** What is said where only those are drawn. */
  far_note?: Text;
  /** False where the number of features of a class says nothing. */
  counted?: boolean;
}

export type Level = "cell" | "community" | "subdistrict" | "city";

export interface Cells {
  /** What the areas are: cells, or communities or subdistricts where cells are too many. */
  level: Level;
  codes: string[];
  names: Text[];
  /** Per area: polygons, rings, numbers of arcs (~i: arc i backwards). */
  rings: number[][][][];
  rows: Rows[];
  themes: Theme[];
  /** Theme shown first, -1 for none. */
  initial: number;
  kind: Text;
}

export interface PointOverlay {
  type: "points";
  key: string;
  label: Text;
  on: boolean;
  xy: number[];
  names: Text[];
  codes: string[];
  rows: Rows[];
  themes: Theme[];
  kind: Text;
  radius?: number;
  /** Show only when fewer than this many are in view. */
  below?: number;
}

export interface AreaOverlay {
  type: "areas";
  key: string;
  label: Text;
  on: boolean;
  geometry: Area[];
  names: Text[];
  theme: Theme;
  opacity: number;
  /** Lies over the cells, whose fill steps back while it is shown. */
  over?: boolean;
}

export interface EdgeOverlay {
  type: "edges";
  key: string;
  label: Text;
  on: boolean;
  level: Level;
  /** Every border of the areas once. */
  arcs: number[];
  /** West, south, east, north of each area, in steps. */
  boxes: number[];
  names: Text[];
  codes: string[];
  label_xy: number[];
}

export interface FindingOverlay {
  type: "findings";
  key: string;
  label: Text;
  on: boolean;
  features: { areas?: Area; lines?: Lines; point?: number[]; at: number[]; number: number }[];
  names: Text[];
  rows: Rows[];
}

export interface Stop {
  xy: number[];
  order: number;
  name: string;
  code: string;
  category: Text;
  walk: Text;
  arrive: Text;
  stay: Text;
  snap: Text;
}

export interface Turn {
  text: Text;
  street: string;
  length: Text;
}

export interface Round {
  number: number;
  color: string;
  title: Text;
  person: string;
  window: Text;
  start: number[];
  start_name: string;
  path: Lines;
  twice: Lines;
  stops: Stop[];
  turns: Turn[];
  length: Text;
  duration: Text;
  walking: Text;
  service: Text;
  gpx: string;
  gpx_name: string;
}

export interface RoundOverlay {
  type: "rounds";
  key: string;
  label: Text;
  on: boolean;
  rounds: Round[];
}

export type Overlay = PointOverlay | AreaOverlay | EdgeOverlay | FindingOverlay | RoundOverlay;

/** A row leads to the first of these that is on the map. */
export interface ListRow {
  values: Value[];
  cell?: string;
  /** Key of a layer of points and the code of one of them. */
  sign?: [string, string];
  xy?: number[];
}

export interface Listing {
  /** How a figure refers to it. */
  key?: string;
  label: Text;
  explain?: Text;
  empty: Text;
  columns: Text[];
  rows: ListRow[];
  more: number;
}

export interface Field {
  name: string;
  label: Text;
  kind: "date" | "select" | "text";
  value: string;
  options?: { value: string; label: Text }[];
  hint?: Text;
}

export interface Base {
  water: Area[];
  water_names: Text[];
  water_xy: number[];
  excluded: Area[];
  green: Area[];
  streets: { major: Lines; minor: Lines; lane: Lines };
  bridges: Lines;
  street_names: { name: string; line: number[]; rank: number }[];
}

export interface Figure {
  label: Text;
  value: Text;
  note?: Text;
  state?: "good" | "bad";
  /** Key of the list that names what the figure lacks. */
  leads?: string;
}

export interface Payload {
  version: number;
  kind: string;
  language: Language;
  scale: number;
  bounds: number[];
  title: Text;
  question: Text;
  facts: { label: Text; value: Text }[];
  figures: Figure[];
  /** What the figures lack, shown above them. */
  missing: { text: Text; reset?: boolean }[];
  notes: Text[];
  /** Borders; each begins relative to the beginning of the one before. */
  arcs: number[][];
  cells: Cells | null;
  /** Address of the cells of a &bbox= as GeoJSON, where the map shows more than cells. */
  detail: string | null;
  base: Base;
  overlays: Overlay[];
  lists: Listing[];
  controls: { action: string; fields: Field[] } | null;
  download: string | null;
  home: string | null;
  links: { label: Text; href: string }[];
  tiles: { url: string; datum: string; attribution: string; max_zoom: number } | null;
  exported: boolean;
  messages: Record<Language, Record<string, string>>;
}
