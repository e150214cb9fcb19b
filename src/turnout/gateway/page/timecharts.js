// The last hour in bars of two minutes: who answered, and how many requests were escalated or failed.

import { frame, ticks } from "./axes.js";
import { seriesOf } from "./colours.js";
import { el, svg, table } from "./dom.js";
import * as format from "./format.js";

const BIN_S = 120;
const BINS = 30;
const MINUTES = (BIN_S * BINS) / 60;
const X = { ticks: [0, 10, 20, 30, 40, 50, 60], label: "minutes ago", text: (value) => (value ? String(value) : "now") };

/** Half minutes put together to bars, oldest first; every bar is there, empty ones too. */
export function binned({ now, timeline }) {
  const end = Math.ceil(now / BIN_S) * BIN_S;
  const bins = Array.from({ length: BINS }, (_, at) => ({ at: end - (BINS - at) * BIN_S, requests: 0, answered: 0, escalated: 0, candidates: {} }));
  for (const slice of timeline) {
    const bin = bins[Math.floor((slice.at - bins[0].at) / BIN_S)];
    if (!bin) continue;
    bin.requests += slice.requests;
    bin.answered += slice.answered;
    bin.escalated += slice.escalated;
    for (const [name, amount] of Object.entries(slice.candidates)) bin.candidates[name] = (bin.candidates[name] ?? 0) + amount;
  }
  return bins;
}

function totals(bins) {
  const found = new Map();
  for (const bin of bins) for (const [name, amount] of Object.entries(bin.candidates)) found.set(name, (found.get(name) ?? 0) + amount);
  return [...found].sort(([one], [other]) => one.localeCompare(other));
}

function noneYet() {
  return el("p", { class: "empty" }, "Nothing was answered in the last hour.");
}

function bars(chart, bins, parts) {
  const step = (chart.right - chart.left) / BINS;
  bins.forEach((bin, at) => {
    let from = 0;
    for (const { name, kind, amount, title } of parts(bin)) {
      if (!amount) continue;
      const y = chart.toY(from + amount);
      const bar = { class: kind, x: chart.left + at * step + 1, y, width: Math.max(1, step - 2), height: Math.max(1, chart.toY(from) - y) };
      chart.image.append(svg("rect", bar, svg("title", {}, `${format.clock(bin.at)}: ${name}, ${title}`)));
      from += amount;
    }
  });
  return chart.image;
}

function legend(entries) {
  return el("ul", { class: "legend" }, entries.map(([kind, name, told]) => el("li", {}, el("span", { class: `dot ${kind}`, "aria-hidden": "true" }), el("span", { class: kind.startsWith("series") && "candidate" }, name), " ", el("span", { class: "muted" }, told))));
}

/** Shares of the candidates in the answers of each bar. */
export function shareChart(bins, width) {
  const found = totals(bins);
  const all = found.reduce((sum, [, amount]) => sum + amount, 0);
  if (!all) return noneYet();
  const told = found.map(([name, amount]) => `${name} ${format.percent(amount / all)}`).join(", ");
  const y = { ticks: [0, 0.25, 0.5, 0.75, 1], label: "share of answers", text: format.percent };
  const chart = frame(width, X, y, `Bars of who answered over the last ${MINUTES} minutes. In all: ${told}, of ${format.many(all, "answer")}.`, { mirrored: true });
  const image = bars(chart, bins, (bin) => {
    const sum = Object.values(bin.candidates).reduce((one, other) => one + other, 0);
    return found.map(([name]) => {
      const amount = bin.candidates[name] ?? 0;
      return { name, kind: seriesOf(name), amount: amount / (sum || 1), title: `${format.percent(amount / (sum || 1))} (${format.many(amount, "answer")})` };
    });
  });
  return [image, legend(found.map(([name, amount]) => [seriesOf(name), name, `${format.percent(amount / all)}, ${format.many(amount, "answer")}`]))];
}

export function shareTable(bins) {
  const found = totals(bins);
  const columns = [["Two minutes from", ""], ...found.map(([name]) => [name, "number"]), ["Answers", "number"]];
  const rows = bins.filter((bin) => bin.answered).reverse();
  return table("Answers of each candidate over the last hour", columns, rows.map((bin) => [format.clock(bin.at), ...found.map(([name]) => format.count(bin.candidates[name] ?? 0)), format.count(bin.answered)]), true);
}

/** Requests of each bar: answered at once, escalated, without an answer. */
export function requestsChart(bins, width) {
  const sum = (field) => bins.reduce((found, bin) => found + bin[field], 0);
  const [requests, answered, escalated] = ["requests", "answered", "escalated"].map(sum);
  if (!requests) return noneYet();
  const y = { ticks: ticks(Math.max(...bins.map((bin) => bin.requests), 4)), label: "requests in 2 minutes", text: format.count };
  const share = format.percent(answered ? escalated / answered : null);
  const told = `Bars of requests over the last ${MINUTES} minutes. In all ${format.many(requests, "request")}: ${format.count(escalated)} escalated (${share} of answers), ${format.count(requests - answered)} without an answer.`;
  const chart = frame(width, X, y, told, { mirrored: true });
  const kinds = [
    ["kind-plain", "answered at once", (bin) => bin.answered - bin.escalated],
    ["kind-escalated", "escalated", (bin) => bin.escalated],
    ["kind-failed", "without an answer", (bin) => bin.requests - bin.answered],
  ];
  const image = bars(chart, bins, (bin) => kinds.map(([kind, name, amount]) => ({ name, kind, amount: amount(bin), title: format.many(amount(bin), "request") })));
  const all = { requests, answered, escalated };
  return [image, legend(kinds.map(([kind, name, amount]) => [kind, name, `${format.percent(amount(all) / requests)}, ${format.many(amount(all), "request")}`]))];
}

export function requestsTable(bins) {
  const columns = [["Two minutes from", ""], ["Requests", "number"], ["Answered", "number"], ["Escalated", "number"], ["Escalated share", "number"]];
  const rows = bins.filter((bin) => bin.requests).reverse();
  return table("Requests and escalations over the last hour", columns, rows.map((bin) => [format.clock(bin.at), format.count(bin.requests), format.count(bin.answered), format.count(bin.escalated), format.percent(bin.answered ? bin.escalated / bin.answered : null)]), true);
}
