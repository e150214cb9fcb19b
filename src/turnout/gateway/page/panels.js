// The smaller panels: key figures, providers, history, caches, machine, configuration.

import { chip, el, facts } from "./dom.js";
import * as format from "./format.js";

/** Key figures of the last hour. */
export function overview(hour) {
  if (!hour) return null;
  const feedback = hour.feedback ?? {};
  const entries = [
    ["Requests", format.count(hour.requests), "in the last hour"],
    ["Answered", format.percent(hour.requests ? hour.answered / hour.requests : null), failures(hour)],
    ["Usual time", format.seconds(hour.response.p50_s), `95 % under ${format.seconds(hour.response.p95_s)}`],
    ["First token", format.seconds(hour.first_token.p50_s), "usual, of streams"],
    ["Confidence", format.percent(hour.confidence_mean), "mean of answers"],
    ["Escalated", format.percent(hour.escalated_share), `${format.count(hour.escalated)} answers`],
    ["From a cache", format.percent(hour.cached_share), "of answers"],
    ["Feedback", `${format.count(feedback.good ?? 0)} good`, `${format.count(feedback.bad ?? 0)} bad`],
  ];
  return entries.map(([name, value, beside]) => el("div", {}, el("dt", {}, name), el("dd", {}, el("strong", {}, value), " ", el("span", { class: "muted small" }, beside))));
}

function failures(hour) {
  const failed = hour.requests - hour.answered - hour.cancelled;
  if (!failed && !hour.cancelled) return "none failed";
  return [failed && `${format.count(failed)} failed`, hour.cancelled && `${format.count(hour.cancelled)} cancelled`].filter(Boolean).join(", ");
}

export function providers(found) {
  const entries = Object.entries(found);
  if (!entries.length) return el("p", { class: "empty" }, "No provider is configured.");
  return facts(entries.map(([name, entry]) => [
    name,
    [chip(entry.available ? "reachable" : "not reachable", entry.available ? "good" : "bad"), entry.version && ` ${entry.version}`, entry.problem && el("span", { class: "muted small" }, entry.problem)],
  ]));
}

export function history(found) {
  if (!Object.keys(found).length) return el("p", { class: "empty" }, "No history is kept, so nothing can be learned: history.enabled is false.");
  return [
    found.problem ? el("p", { class: "error" }, found.problem) : null,
    facts([
      ["State", found.problem ? chip("has a problem", "bad") : chip("recording", "good")],
      ["Recorded", format.many(found.recorded, "record")],
      ["Waiting", format.many(found.waiting, "record")],
      ["In the database", format.many(found.committed, "record")],
      ["Dropped", found.dropped ? chip(format.many(found.dropped, "record"), "bad") : "none"],
      ["Not readable", found.skipped ? chip(format.many(found.skipped, "record"), "warn") : "none"],
      ["Journal", format.bytes(found.journal_bytes)],
    ]),
  ];
}

export function caches(found) {
  const stores = ["exact", "semantic"].map((name) => [`${name[0].toUpperCase()}${name.slice(1)}`, found[name]]);
  return facts([
    ...stores.map(([name, store]) => [name, store ? storeOf(store) : el("span", { class: "muted" }, "off")]),
    ["Asked just now", format.many(found.in_flight ?? 0, "shared run")],
  ]);
}

function storeOf(store) {
  const looked = store.hits + store.misses;
  const told = [
    `${format.count(store.hits)} of ${format.many(looked, "look")} found${looked ? ` (${format.percent(store.hits / looked)})` : ""}`,
    store.entries === null ? null : `${store.entries === 1 ? "1 answer" : `${format.count(store.entries)} answers`}, ${format.bytes(store.size_bytes)}`,
    store.evicted ? `${format.count(store.evicted)} pushed out` : null,
  ];
  return told.filter(Boolean).join("; ");
}

export function resources(found) {
  if (!found) return el("p", { class: "empty" }, "Nobody samples this machine.");
  return facts([
    ["Memory", used(found.ram_total_bytes, found.ram_free_bytes)],
    ["GPU memory", found.vram_total_bytes === null ? el("span", { class: "muted" }, "no GPU known") : used(found.vram_total_bytes, found.vram_free_bytes)],
    ["Processor", [`${format.percent(found.cpu_share)} busy`, bar(found.cpu_share)]],
  ]);
}

function used(total, free) {
  return [`${format.bytes(total - free)} of ${format.bytes(total)} used`, bar((total - free) / total)];
}

function bar(share) {
  const filled = el("span", { class: share > 0.9 ? "filled full" : "filled" });
  filled.style.inlineSize = `${Math.min(100, Math.max(0, share * 100))}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, filled);
}

export function configuration({ configuration: found, threshold }) {
  return facts([
    ["File", found.path ? el("code", {}, found.path) : "none: built-in settings"],
    ["Profile", found.profile],
    ["Read at", found.loaded_at === null ? null : format.clock(found.loaded_at)],
    ["Changes taken over", format.count(found.reloads)],
    ["Fingerprint", el("code", { class: "id" }, found.fingerprint)],
    ["Escalates under", threshold === null ? null : `${format.percent(threshold)} confidence`],
  ]);
}
