// What every part of the page shares.
import type L from "leaflet";
import type { Decoder } from "./geometry";
import type { Words } from "./i18n";
import type { Topology } from "./topology";
import type { Payload } from "./types";

export interface Found {
  /** What is searched, lower case and width-normalised. */
  key: string;
  label: string;
  detail: () => string;
  open: () => void;
}

export interface Context {
  map: L.Map;
  payload: Payload;
  words: Words;
  decoder: Decoder;
  topology: Topology;
  canvas: Record<"base" | "cells" | "edges" | "routes" | "select", L.Canvas>;
  svg: L.SVG;
  /** Patterns in place of colours, for black-and-white print. */
  patterns: boolean;
  /** Pixels of the map that a sheet covers from below. */
  covered: () => number;
  /** Let the map be seen where a sheet may lie over it. */
  reveal: () => void;
  /** How much larger signs and lines are on a wall of screens. */
  large: number;
}

/** Zoom from which streets have names and every point is drawn. */
export const CLOSE = 13;

export const normal = (text: string): string => text.normalize("NFKC").toLowerCase().trim();
