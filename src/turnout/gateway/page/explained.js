// Why a decision came out as it did: the ranking, what pushed it, what would flip it.

import { chip, el, facts, table } from "./dom.js";
import * as format from "./format.js";

export function explained(told) {
  const why = told.explanation;
  const task = told.task;
  return [
    el("h3", { id: "explained-title" }, "Explanation"),
    el("p", { class: "who" }, el("strong", { class: "candidate" }, told.candidate), " would be asked: ", told.reason),
    ranking(why),
    why.excluded.length ? excluded(why.excluded) : null,
    flips(why),
    pushed(why),
    facts([
      ["Task", `${task.type}, ${task.complexity} (${task.complexity_score.toFixed(1)} of 10), ${task.tier} tier`],
      ["Preference", why.preference],
      ["Rules", why.rules.join(", ") || "none spoke"],
      ["Secrets in the prompt", why.secrets.join(", ")],
      ["New to the predictor", `${format.percent(why.novelty)}${why.out_of_depth ? ", out of its depth" : ""}`],
      ["Chosen with probability", format.percent(why.propensity)],
      ["Explored with probability", why.exploration ? format.percent(why.exploration) : null],
      ["Decided by the challenger", why.arm === "challenger" ? "yes" : null],
    ]),
  ];
}

function ranking(why) {
  const columns = [["Candidate", "name"], ["Success", "number"], ["Expected", "number"], ["Cost", "number"], ["Utility", "number"]];
  const rows = why.ranking.map((entry) => [
    [el("span", { class: "candidate" }, entry.candidate), entry.candidate === why.candidate ? chip("chosen", "good") : null],
    [format.percent(entry.p_success), entry.learned ? null : el("span", { class: "muted small" }, "not learned")],
    [format.seconds(entry.expected_s), parts(entry.expected)],
    format.dollars(entry.cost_usd),
    entry.utility.toFixed(3),
  ]);
  return table("Candidates for this prompt, best first", columns, rows);
}

const PARTS = [["load_s", "load"], ["queue_s", "wait"], ["prefill_s", "read"], ["decode_s", "write"], ["evict_s", "swap"]];

function parts(expected) {
  if (!expected) return null;
  const told = PARTS.filter(([name]) => expected[name] > 0).map(([name, word]) => `${word} ${format.seconds(expected[name])}`);
  return el("span", { class: "muted small" }, told.join(", "), expected.measured ? "" : " (guessed)");
}

function excluded(entries) {
  return [
    el("h4", {}, "Could not be chosen"),
    el("ul", {}, entries.map((entry) => el("li", {}, el("span", { class: "candidate" }, entry.candidate), `: ${entry.reason}`))),
  ];
}

function flips(why) {
  const told = why.flips.map((flip) => el("li", {}, el("span", { class: "candidate" }, flip.candidate), ` at an exchange rate of ${flip.rate.toPrecision(2)} (${flip.preference})`));
  return [
    el("h4", {}, "What would flip it"),
    told.length ? el("ul", {}, told) : el("p", { class: "muted" }, "No other exchange rate between success, seconds and cost would."),
  ];
}

function pushed(why) {
  const chosen = why.pushes.find((entry) => entry.candidate === why.candidate);
  if (!chosen) return [el("h4", {}, "What pushed it"), el("p", { class: "muted" }, "No predictor spoke, so there is nothing to take apart.")];
  return [
    el("h4", {}, "What pushed it"),
    breakdown(`Points of success of ${why.candidate}, from a usual ${chosen.base_points.toFixed(0)}`, chosen),
    why.over_next ? breakdown(`Points over ${why.over_next.over}`, why.over_next) : null,
  ];
}

function breakdown(caption, one) {
  const rows = one.parts.map((part) => [`${part.label}${part.level ? ` (${part.level})` : ""}`, format.points(part.points)]);
  return table(caption, [["What", ""], ["Points", "number"]], [...rows, ["calibration", format.points(one.calibration_points)]], true);
}
