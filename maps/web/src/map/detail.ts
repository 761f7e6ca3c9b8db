// Close up, a map of communities or of chosen cells asks the service for the cells in view.
import L from "leaflet";
import type { Context } from "./context";
import { card, popupOptions } from "./popup";

const FROM = 15;

interface Feature {
  id: string;
  geometry: GeoJSON.Geometry;
  properties: Record<string, string | number | null>;
}

export class CellsInView {
  private readonly group = L.layerGroup();
  private asking: AbortController | null = null;
  private asked = "";

  constructor(private readonly context: Context, private readonly address: string) {
    this.group.addTo(context.map);
    context.map.on("moveend", () => void this.refresh());
    void this.refresh();
  }

  private async refresh(): Promise<void> {
    const { map, decoder } = this.context;
    if (map.getZoom() < FROM) {
      this.asking?.abort();
      this.group.clearLayers();
      this.asked = "";
      return;
    }
    const view = map.getBounds();
    const [west, south] = decoder.real(view.getSouth(), view.getWest());
    const [east, north] = decoder.real(view.getNorth(), view.getEast());
    const box = [west, south, east, north].map((v) => v.toFixed(5)).join(",");
    if (box === this.asked) return;
    this.asked = box;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    try {
      const answer = await fetch(`${this.address}&bbox=${box}`, {
        headers: { accept: "application/geo+json" }, signal: asking.signal,
      });
      if (!answer.ok) return;
      const { features } = (await answer.json()) as { features: Feature[] };
      if (!asking.signal.aborted) this.draw(features);
    } catch (error) {
      // A view that was left behind needs no answer; without a service the map stays as it is.
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    }
  }

  private draw(features: Feature[]): void {
    const { canvas, decoder, words, payload, large } = this.context;
    this.group.clearLayers();
    const place = ([lon, lat]: number[]) =>
      L.latLng(decoder.point(lon * payload.scale, lat * payload.scale));
    for (const { id, geometry, properties } of features) {
      const area = L.GeoJSON.geometryToLayer(
        { type: "Feature", properties: {}, geometry },
        { coordsToLatLng: (at) => place(at as number[]) },
      ) as L.Polygon;
      Object.assign(area.options, {
        renderer: canvas.cells, color: "#8A94A6", weight: 1 * large, opacity: 0.9, fill: true,
        fillOpacity: 0,
      });
      const name = String(properties.name ?? id);
      area.bindTooltip(() => card(words, name, id, []), {
        sticky: true, direction: "top", className: "gs-tip", opacity: 1,
      });
      area.bindPopup(() => card(words, name, id,
        (["community", "subdistrict"] as const)
          .map((level) => ({ label: words.say(level), value: properties[`${level}_name`] }))
          .filter(({ value }) => value !== null && value !== undefined)
          .map(({ label, value }) => ({ label, value: String(value) }))),
        popupOptions(this.context));
      this.group.addLayer(area);
    }
  }
}
