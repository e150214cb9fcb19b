// What charts have in common: a frame with axes in real pixels, so that letters stay readable at every width.

import { svg } from "./dom.js";

export const HEIGHT = 240;
const MARGIN = { top: 14, right: 14, bottom: 44, left: 66 };

/** Round numbers from 0 up to at least `most`, about `wanted` of them. */
export function ticks(most, wanted = 4) {
  const rough = (most || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let at = 0; at < most + step * 0.999 || found.length < 2; at += step) found.push(Number(at.toPrecision(12)));
  return found;
}

/**
 * A frame: the element, and functions from values to pixels. `x` and `y` are {ticks, label, text}; the last tick is the end
 * of the axis. `mirrored` lets the x axis run from its end to 0, as "minutes ago" does.
 */
export function frame(width, x, y, description, { mirrored = false } = {}) {
  const right = width - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const xEnd = x.ticks.at(-1);
  const yEnd = y.ticks.at(-1);
  const span = right - MARGIN.left;
  const toX = (value) => (mirrored ? right - (value / xEnd) * span : MARGIN.left + (value / xEnd) * span);
  const toY = (value) => bottom - (value / yEnd) * (bottom - MARGIN.top);
  const image = svg("svg", { role: "img", "aria-label": description, width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` });
  for (const value of y.ticks) {
    image.append(
      svg("line", { class: value ? "grid" : "axis", x1: MARGIN.left, x2: right, y1: toY(value), y2: toY(value) }),
      svg("text", { class: "tick", x: MARGIN.left - 8, y: toY(value) + 4, "text-anchor": "end" }, y.text(value)),
    );
  }
  for (const value of x.ticks) {
    image.append(
      svg("line", { class: "axis", x1: toX(value), x2: toX(value), y1: bottom, y2: bottom + 4 }),
      svg("text", { class: "tick", x: toX(value), y: bottom + 17, "text-anchor": "middle" }, x.text(value)),
    );
  }
  image.append(
    svg("text", { class: "label", x: (MARGIN.left + right) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, x.label),
    svg("text", { class: "label", x: -(MARGIN.top + bottom) / 2, y: 12, "text-anchor": "middle", transform: "rotate(-90)" }, y.label),
  );
  return { image, toX, toY, left: MARGIN.left, right, top: MARGIN.top, bottom };
}
