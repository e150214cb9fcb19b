// Quality against seconds: one place for each candidate, and one more where users said what they think.

import { frame, ticks } from "./axes.js";
import { seriesOf } from "./colours.js";
import { el, svg, table } from "./dom.js";
import * as format from "./format.js";

const RADIUS = 6;
const LINE = 14;

/** What is known of each candidate that answered in the last hour. */
export function qualityOf(hour) {
  return Object.entries(hour?.candidates ?? {})
    .filter(([, one]) => one.answers && one.confidence_mean !== null && one.response.mean_s !== null)
    .map(([name, one]) => {
      const heard = one.good + one.bad;
      return { name, seconds: one.response.mean_s, confidence: one.confidence_mean, feedback: heard ? one.good / heard : null, heard, answers: one.answers };
    });
}

export function qualityChart(found, width) {
  if (!found.length) return el("p", { class: "empty" }, "No candidate answered in the last hour.");
  const most = Math.max(...found.map((one) => one.seconds));
  const inMs = most < 0.5;
  const factor = inMs ? 1000 : 1;
  const x = { ticks: ticks(most * factor * 1.05), label: `mean ${inMs ? "milliseconds" : "seconds"} of an answer`, text: format.count };
  if (x.ticks[1] < 1) x.text = (value) => String(value);
  const y = { ticks: [0, 0.25, 0.5, 0.75, 1], label: "quality", text: format.percent };
  const told = found.map((one) => `${one.name}: ${format.seconds(one.seconds)}, confidence ${format.percent(one.confidence)}${one.heard ? `, ${format.percent(one.feedback)} good of ${one.heard} said` : ""}`).join("; ");
  const chart = frame(width, x, y, `Quality against seconds of each candidate. ${told}.`);
  const taken = [];
  for (const one of [...found].sort((a, b) => b.confidence - a.confidence)) mark(chart, one, factor, taken);
  const key = el(
    "ul",
    { class: "legend" },
    el("li", {}, svg("svg", { class: "sign", width: 14, height: 14, "aria-hidden": "true" }, svg("circle", { class: "plain", cx: 7, cy: 7, r: 5 })), "mean confidence"),
    el("li", {}, svg("svg", { class: "sign", width: 14, height: 14, "aria-hidden": "true" }, diamond(7, 7, "plain")), "good of what users said"),
  );
  return [chart.image, key];
}

function mark(chart, one, factor, taken) {
  const x = chart.toX(one.seconds * factor);
  const y = chart.toY(one.confidence);
  const kind = seriesOf(one.name);
  if (one.feedback !== null) {
    const other = chart.toY(one.feedback);
    chart.image.append(svg("line", { class: "link", x1: x, x2: x, y1: y, y2: other }), diamond(x, other, kind));
  }
  chart.image.append(svg("circle", { class: kind, cx: x, cy: y, r: RADIUS }));
  const toLeft = x > (chart.left + chart.right) / 2;
  let labelY = y + 4;
  while (taken.some((other) => Math.abs(other - labelY) < LINE)) labelY += LINE;
  labelY = Math.min(labelY, chart.bottom - 4);
  taken.push(labelY);
  const room = Math.floor(((toLeft ? x - chart.left : chart.right - x) - RADIUS - 6) / 6.6);
  const short = one.name.length <= room ? one.name : `…${one.name.slice(-(room - 1))}`;
  const gap = RADIUS + 5;
  chart.image.append(svg("text", { class: "name", x: toLeft ? x - gap : x + gap, y: labelY, "text-anchor": toLeft ? "end" : "start" }, short));
}

function diamond(x, y, kind) {
  const size = 6;
  return svg("path", { class: kind, d: `M${x} ${y - size}L${x + size} ${y}L${x} ${y + size}L${x - size} ${y}Z` });
}

export function qualityTable(found) {
  const columns = [["Candidate", "name"], ["Mean time", "number"], ["Mean confidence", "number"], ["Good of feedback", "number"], ["Answers", "number"]];
  return table("Quality and time of each candidate in the last hour", columns, found.map((one) => [one.name, format.seconds(one.seconds), format.percent(one.confidence), one.heard ? `${format.percent(one.feedback)} of ${one.heard}` : "–", format.count(one.answers)]), true);
}
