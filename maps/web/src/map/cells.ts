// The grid: filled by the chosen theme, hovered and selected by its edge.
import L from "leaflet";
import { normal, type Context, type Found } from "./context";
import type { GridPathOptions } from "./canvas";
import { card, cardRoom, popupOptions, rowsAt } from "./popup";
import type { Hatch, Theme, ThemeClass } from "./types";

const EDGE = "#8A94A6";
const ACCENT = "#1D5FD1";
/** Of fills, so that streets stay readable. */
const FILL = 0.35;
const BLACK_AND_WHITE: (Hatch | null)[] = [
  null, "dots", "diagonal", "horizontal", "cross", "dense", "vertical", "back",
];

export function classStyle(
  one: ThemeClass | undefined, position: number, patterns: boolean, opacity: number,
): GridPathOptions {
  if (!one || (one.color === null && !one.hatch)) return { fill: true, fillOpacity: 0, hatch: null };
  if (patterns) {
    const hatch = BLACK_AND_WHITE[(position + 1) % BLACK_AND_WHITE.length];
    return { fill: true, fillOpacity: 0, hatch: hatch ?? undefined, hatchColor: "#374151" };
  }
  return {
    fill: true,
    fillColor: one.color ?? undefined,
    fillOpacity: one.color ? opacity : 0,
    hatch: one.hatch ?? null,
    hatchColor: "#8A94A6",
  };
}

export class CellLayer {
  readonly layers: L.Polygon[] = [];
  theme: Theme | null;
  private readonly group: L.FeatureGroup;
  private readonly byCode = new Map<string, number>();
  private readonly selection = L.layerGroup();
  private readonly hover = L.layerGroup();
  private behind = false;
  private hovered = -1;
  private selected = -1;

  constructor(private readonly context: Context) {
    const { payload, topology, canvas, map } = context;
    const cells = payload.cells!;
    this.theme = cells.themes[cells.initial] ?? null;
    cells.rings.forEach((area, i) => {
      this.byCode.set(cells.codes[i], i);
      const polygon = L.polygon(topology.area(area), {
        renderer: canvas.cells, stroke: false, fill: true, fillOpacity: 0,
      });
      polygon.on("mouseover", () => this.over(i));
      polygon.on("mouseout", () => this.over(-1));
      polygon.on("click", (event) => {
        L.DomEvent.stopPropagation(event);
        this.select(i, (event as L.LeafletMouseEvent).latlng);
      });
      this.layers.push(polygon);
    });
    // Every border is drawn once, not by both its neighbours.
    const borders = L.polyline(topology.borders(cells.rings), {
      renderer: canvas.edges, interactive: false, color: EDGE, weight: 1, opacity: 0.85,
      smoothFactor: 1,
    });
    this.group = L.featureGroup(this.layers);
    // One tooltip for all cells, filled with text nodes when it opens.
    this.group.bindTooltip((layer) => this.tip(this.layers.indexOf(layer as L.Polygon)), {
      sticky: true, direction: "top", className: "gs-tip", opacity: 1,
    });
    this.paint();
    this.group.addTo(map);
    borders.addTo(map);
    this.hover.addTo(map);
    this.selection.addTo(map);
    const thin = () => {
      const zoom = map.getZoom();
      const weight = (zoom < 12 ? 0.4 : zoom < 13 ? 0.6 : 1) * this.context.large;
      borders.options.weight = weight;
    };
    map.on("zoomend", thin);
    thin();
  }

  private tip(i: number): HTMLElement {
    const { words, payload } = this.context;
    const cells = payload.cells!;
    const theme = this.theme;
    const one = theme?.classes[theme.index[i]];
    const rows = theme && one
      ? [{ label: words.text(theme.label), value: words.text(one.label) }]
      : [];
    return card(words, words.text(cells.names[i]), cells.codes[i], rows);
  }

  /** Streets show through and stay readable; below another theme the classes step back. */
  private strength(): number {
    if (this.behind) return 0.08;
    const { streets } = this.context.payload.base;
    return streets.major.length + streets.minor.length + streets.lane.length ? FILL : 0.6;
  }

  /** Step back behind a surface that lies over the cells, or come forward again. */
  stepBack(behind: boolean): void {
    if (behind === this.behind) return;
    this.behind = behind;
    this.paint();
  }

  /** Class every cell. */
  paint(): void {
    const { patterns } = this.context;
    const strength = this.strength();
    this.layers.forEach((layer, i) => {
      const position = this.theme ? this.theme.index[i] : -1;
      const one = this.theme?.classes[position];
      layer.setStyle(classStyle(one, position, patterns, strength) as L.PathOptions);
    });
  }

  show(theme: Theme | null): void {
    this.theme = theme;
    this.paint();
  }

  private edge(i: number, color: string, weight: number): L.Polygon {
    const options: GridPathOptions = {
      renderer: this.context.canvas.select, interactive: false, fill: false, color,
      weight: weight * this.context.large,
      casing: { color: "#fff", width: 1.5 },
    };
    return L.polygon(this.layers[i].getLatLngs() as L.LatLng[][], options);
  }

  private over(i: number): void {
    if (i === this.hovered) return;
    this.hovered = i;
    this.hover.clearLayers();
    if (i >= 0 && i !== this.selected) this.hover.addLayer(this.edge(i, "#4B5563", 2));
  }

  select(i: number, at?: L.LatLng): void {
    const { map, words, payload } = this.context;
    const cells = payload.cells!;
    this.selected = i;
    this.hover.clearLayers();
    this.selection.clearLayers();
    this.selection.addLayer(this.edge(i, ACCENT, 3));
    const rows = rowsAt(words, cells.rows, i);
    L.popup(popupOptions(this.context))
      .setLatLng(this.above(i, at))
      .setContent(card(words, words.text(cells.names[i]), cells.codes[i], rows))
      .openOn(map);
  }

  /** The top of the cell where the cell fits below its card, else the place that was clicked. */
  private above(i: number, at?: L.LatLng): L.LatLng {
    const { map } = this.context;
    const bounds = this.layers[i].getBounds();
    const height = map.latLngToContainerPoint(bounds.getSouthWest()).y -
      map.latLngToContainerPoint(bounds.getNorthEast()).y;
    const room = map.getSize().y - this.context.covered() - cardRoom(this.context);
    if (height > room) return at ?? bounds.getCenter();
    let top = bounds.getCenter();
    const see = (part: unknown): void => {
      if (Array.isArray(part)) part.forEach(see);
      else if ((part as L.LatLng).lat > top.lat) top = part as L.LatLng;
    };
    see(this.layers[i].getLatLngs());
    return top;
  }

  open(code: string): boolean {
    const i = this.byCode.get(code);
    if (i === undefined) return false;
    const { map } = this.context;
    const bounds = this.layers[i].getBounds();
    map.fitBounds(bounds, {
      maxZoom: 16, paddingTopLeft: [60, cardRoom(this.context)],
      paddingBottomRight: [60, 24 + this.context.covered()],
      animate: false,
    });
    this.select(i);
    return true;
  }

  found(): Found[] {
    const { payload, words } = this.context;
    const cells = payload.cells!;
    return cells.codes.map((code, i) => {
      const name = words.text(cells.names[i]);
      return {
        key: normal(`${name} ${code}`),
        label: name,
        detail: () => `${words.text(cells.kind)} ${code}`,
        open: () => void this.open(code),
      };
    });
  }
}
