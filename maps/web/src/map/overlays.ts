// Layers above the grid: points, areas, edges and findings.
import L from "leaflet";
import { classStyle } from "./cells";
import type { GridPathOptions } from "./canvas";
import { CLOSE, normal, type Context, type Found } from "./context";
import { h } from "./dom";
import { card, popupOptions, rowsAt } from "./popup";
import { isHollow, ShapeMarker } from "./shapes";
import { boxOf } from "./topology";
import type { AreaOverlay, EdgeOverlay, FindingOverlay, PointOverlay, Theme } from "./types";

/** A layer that can be switched, searched and drawn again in the other language. */
export interface Shown {
  layer: L.Layer;
  theme?: () => Theme | null;
  choose?: (theme: Theme) => void;
  repaint?: () => void;
  found?: () => Found[];
  /** Go to the feature of a code; false where there is none. */
  open?: (code: string) => boolean;
  /** Whether any of it is drawn now. */
  drawn?: () => boolean;
}

export function points(context: Context, overlay: PointOverlay): Shown {
  const { map, words, decoder, svg: renderer } = context;
  const group = L.layerGroup();
  let theme: Theme | null = overlay.themes[0] ?? null;
  const at = overlay.names.map((_, i) => decoder.point(overlay.xy[2 * i], overlay.xy[2 * i + 1]));
  const describe = (i: number) =>
    card(
      words, words.text(overlay.names[i]), `${words.text(overlay.kind)} ${overlay.codes[i]}`,
      rowsAt(words, overlay.rows, i),
    );
  const radius = () => {
    const zoom = map.getZoom();
    const full = overlay.radius ?? 5.5;
    if (zoom < CLOSE) return Math.max(2, full * 0.4) * context.large;
    return (zoom < 14.5 ? full * 0.75 : full) * context.large;
  };
  const far = () => map.getZoom() < CLOSE;
  const make = (i: number): L.CircleMarker => {
    const one = theme?.classes[theme.index[i]];
    const shape = one?.shape ?? "circle";
    const ring = isHollow(shape);
    const marker = new ShapeMarker(at[i], {
      renderer, pane: "points", shape, radius: radius(),
      color: ring ? (one?.color ?? "#B42318") : "#1F2937",
      weight: (ring ? (far() ? 1.5 : 2.5) : far() ? 0.4 : 0.8) * context.large,
      fillColor: one?.color ?? "#6B7280", fillOpacity: ring ? 0 : 0.95, opacity: 1, fill: true,
    });
    marker.bindTooltip(() => h("span", null, words.text(overlay.names[i])), {
      className: "gs-tip", direction: "top", opacity: 1,
    });
    marker.bindPopup(() => describe(i), popupOptions(context));
    return marker;
  };
  const draw = () => {
    group.clearLayers();
    let shown = theme?.far && far() ? theme.far : at.map((_, i) => i);
    if (overlay.below !== undefined) {
      const view = map.getBounds();
      shown = shown.filter((i) => view.contains(at[i]));
      if (shown.length >= overlay.below) return;
    }
    for (const i of shown) group.addLayer(make(i));
  };
  if (overlay.below !== undefined) map.on("moveend", () => map.hasLayer(group) && draw());
  else {
    let drawn = radius();
    map.on("zoomend", () => {
      if (radius() === drawn || !map.hasLayer(group)) return;
      drawn = radius();
      draw();
    });
  }
  group.on("add", draw);
  const go = (i: number) => {
    if (!map.hasLayer(group)) map.addLayer(group);
    const zoom = Math.max(map.getZoom(), 16);
    map.setView(at[i], zoom, { animate: false });
    L.popup(popupOptions(context)).setLatLng(at[i]).setContent(describe(i)).openOn(map);
  };
  const places = new Map(overlay.codes.map((code, i) => [code, i]));
  return {
    layer: group,
    drawn: () => group.getLayers().length > 0,
    open: (code) => {
      const i = places.get(code);
      if (i !== undefined) go(i);
      return i !== undefined;
    },
    theme: () => theme,
    choose: (next) => {
      theme = next;
      if (map.hasLayer(group)) draw();
    },
    found: () =>
      overlay.below !== undefined
        ? []
        : overlay.names.map((name, i) => ({
            key: normal(`${words.text(name)} ${overlay.codes[i]}`),
            label: words.text(name),
            detail: () => `${words.text(overlay.kind)} ${overlay.codes[i]}`,
            open: () => go(i),
          })),
  };
}

export function areas(context: Context, overlay: AreaOverlay): Shown {
  const { decoder, canvas } = context;
  const { theme } = overlay;
  const polygons = overlay.geometry.map((area, i) => {
    const one = theme.classes[theme.index[i]];
    const polygon = L.polygon(decoder.area(area), {
      renderer: canvas.edges, interactive: false, stroke: true, weight: 0.8,
      color: one?.color ?? "#8A94A6", opacity: 0.9,
    });
    return polygon;
  });
  const repaint = () =>
    polygons.forEach((polygon, i) => {
      const position = theme.index[i];
      polygon.setStyle(
        classStyle(theme.classes[position], position, context.patterns, overlay.opacity) as
          L.PathOptions,
      );
    });
  repaint();
  return { layer: L.layerGroup(polygons), theme: () => theme, repaint };
}

const EDGES = {
  cell: { color: "#8A94A6", weight: 1 },
  community: { color: "#6B7688", weight: 2 },
  subdistrict: { color: "#4B5563", weight: 3.5, casing: { color: "#fff", width: 1.5 } },
  city: { color: "#1F2937", weight: 2.5, casing: { color: "#fff", width: 1 } },
} satisfies Record<string, GridPathOptions>;

export function edges(context: Context, overlay: EdgeOverlay): Shown {
  const { map, words, decoder, topology, canvas } = context;
  const style = EDGES[overlay.level];
  const options: GridPathOptions = { renderer: canvas.edges, interactive: false, ...style };
  const borders = L.polyline(topology.lines(overlay.arcs), options);
  const thin = () => {
    const zoom = map.getZoom();
    const crowd = overlay.names.length > 1000 && zoom < 12 ? 0.6 : 1;
    const near = zoom < 12 ? 0.4 * crowd : zoom < 13 ? 0.55 : zoom < 14 ? 0.75 : 1;
    const factor = near * context.large;
    const now = borders.options as GridPathOptions;
    now.weight = style.weight * factor;
    if ("casing" in style) {
      now.casing = { color: style.casing.color, width: style.casing.width * factor };
    }
  };
  thin();
  map.on("zoomend", thin);
  return {
    layer: L.layerGroup([borders]),
    found: () =>
      overlay.names.map((name, i) => ({
        key: normal(`${words.text(name)} ${overlay.codes[i]}`),
        label: words.text(name),
        detail: () => `${words.say(overlay.level)} ${overlay.codes[i]}`,
        open: () => {
          map.closePopup();
          map.fitBounds(boxOf(overlay, i, decoder), { padding: [40, 40], animate: false });
        },
      })),
  };
}

export function findings(context: Context, overlay: FindingOverlay): Shown {
  const { words, decoder, canvas } = context;
  const group = L.layerGroup();
  const line: GridPathOptions = {
    renderer: canvas.routes, interactive: false, color: "#B42318", weight: 3, opacity: 1,
  };
  overlay.features.forEach((feature, i) => {
    if (feature.areas) {
      const options: GridPathOptions = {
        ...line, fill: true, fillOpacity: 0.35, fillColor: "#B42318",
      };
      group.addLayer(L.polygon(decoder.area(feature.areas), options));
    }
    if (feature.lines) group.addLayer(L.polyline(decoder.lines(feature.lines), line));
    const badge = h("span", { class: "gs-finding" }, String(feature.number));
    const marker = L.marker(decoder.point(feature.at[0], feature.at[1]), {
      pane: "signs", title: words.text(overlay.names[i]),
      icon: L.divIcon({ html: badge, className: "gs-sign-at", iconSize: [22, 22] }),
    });
    marker.bindPopup(
      () => card(
        words, `${feature.number} · ${words.text(overlay.names[i])}`, "",
        rowsAt(words, overlay.rows, i),
      ),
      popupOptions(context),
    );
    group.addLayer(marker);
  });
  return { layer: group };
}
