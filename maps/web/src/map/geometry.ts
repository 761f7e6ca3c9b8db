// Decoding of the compact geometry: whole steps of 1/scale degree, each relative to the last.
import type { LatLngTuple } from "leaflet";
import { convert, type Datum } from "./datum";
import type { Area, Lines } from "./types";

export class Decoder {
  constructor(
    private readonly scale: number,
    /** Datum of the base map: geometry is shifted into it for display only. */
    readonly display: Datum,
  ) {}

  point(x: number, y: number): LatLngTuple {
    const [lon, lat] = convert(x / this.scale, y / this.scale, "wgs84", this.display);
    return [lat, lon];
  }

  line(flat: number[]): LatLngTuple[] {
    const out: LatLngTuple[] = new Array(flat.length / 2);
    const shifted = this.display === "gcj02" || this.display === "bd09";
    let x = 0;
    let y = 0;
    for (let i = 0; i < flat.length; i += 2) {
      x += flat[i];
      y += flat[i + 1];
      out[i / 2] = shifted ? this.point(x, y) : [y / this.scale, x / this.scale];
    }
    return out;
  }

  lines(lines: Lines): LatLngTuple[][] {
    return lines.map((one) => this.line(one));
  }

  area(area: Area): LatLngTuple[][][] {
    return area.map((rings) => rings.map((ring) => this.line(ring)));
  }

  /** True coordinates (WGS-84 degrees) of a place on the displayed map. */
  real(lat: number, lon: number): [number, number] {
    return convert(lon, lat, this.display, "wgs84");
  }
}
