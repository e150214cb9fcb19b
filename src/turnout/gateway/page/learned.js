// What was learned: the predictor that serves, the one that wants to, and what is no longer as they learned it.

import { chip, el, facts } from "./dom.js";
import * as format from "./format.js";

const MODES = { shadow: "in the shadow: compared, decides nothing", canary: "canary: decides a share of requests" };
const KINDS = { success: "success", calibration: "calibration", features: "requests", speed: "speed", language_model: "language model" };

/** What of a status the panel shows. */
export function learnedOf(status) {
  const hour = status.metrics?.hour ?? null;
  return { champion: status.predictor, challenger: status.challenger ?? null, explored: hour?.explored ?? null, requests: hour?.requests ?? 0 };
}

export function learned({ champion, challenger, explored, requests }) {
  return [
    el("h4", {}, "Champion"),
    champion ? facts([...about(champion), ["Explored", explored === null ? null : `${format.many(explored, "request")} of ${format.count(requests)} in the last hour`]]) : nothing(),
    trouble(champion),
    el("h4", {}, "Challenger"),
    challenger ? facts([...about(challenger), ...against(challenger)]) : el("p", { class: "muted" }, "no challenger"),
    trouble(challenger),
  ];
}

function nothing() {
  return el("p", { class: "empty" }, "Nothing was learned yet, so speed, cost and the configured order decide. ", el("code", {}, "turnout train"), " makes a champion.");
}

function about(one) {
  return [
    ["Version", el("code", { class: "id" }, one.version)],
    ["Trained at", one.trained_at ? format.moment(one.trained_at) : "not known"],
    ["Here since", one.since ? format.clock(one.since) : null],
    ["Candidates", (one.candidates ?? []).join(", ")],
  ];
}

function against(one) {
  const agreed = one.compared ? `${format.percent(one.agreement_share)} of ${format.many(one.compared, "request")} in the last hour` : "nothing compared in the last hour";
  return [
    ["Mode", MODES[one.mode] ?? one.mode],
    ["Chose the same", one.mode === "shadow" || one.compared ? agreed : null],
    ["Decided", one.mode === "canary" || one.canary_requests ? format.many(one.canary_requests, "request") : null],
  ];
}

function trouble(one) {
  return one?.problem ? el("p", { class: "error" }, `A newer one cannot be served: ${one.problem}`) : null;
}

export function drift(found) {
  if (!found) return el("p", { class: "empty" }, "Nobody has looked yet whether things are still as they were learned.");
  return [
    facts([
      ["State", found.alarms.length ? chip(format.many(found.alarms.length, "alarm"), "warn") : chip("as learned", "good")],
      ["Looked at", format.clock(found.checked_at)],
      ["Watched", format.many(found.decisions, "decision")],
    ]),
    found.alarms.length ? el("ul", { class: "alarms" }, found.alarms.map(alarm)) : null,
  ];
}

function alarm(one) {
  return el("li", {}, chip(KINDS[one.kind] ?? one.kind, "warn"), " ", said(one), " ", el("span", { class: "muted small" }, `since ${format.clock(one.since)}`));
}

/** The candidate and what is said of it; most texts begin with its name already. */
function said({ candidate, text }) {
  if (!candidate) return text;
  return [el("span", { class: "candidate" }, candidate), text.startsWith(candidate) ? text.slice(candidate.length) : `: ${text}`];
}
