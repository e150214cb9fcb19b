// Everything that is known of one request.

import { el, facts, table } from "./dom.js";
import * as format from "./format.js";

const ROLES = { first: "first choice", fallback: "fallback", escalation: "escalation", race: "race", ensemble: "ensemble" };

export function details(row) {
  return el(
    "div",
    { class: "details" },
    row.prompt && el("blockquote", { class: "text", dir: "auto" }, row.prompt),
    row.message && el("p", { class: "error" }, row.message),
    facts([
      ["Why", row.reason ?? row.decided_why],
      ["Decided for", row.decided_for && `${row.decided_for}, by ${row.decided_by}${row.arm === "challenger" ? ", by the challenger" : ""}`],
      ["Task", row.task && `${row.task}, ${row.complexity}, ${row.tier} tier`],
      ["Rules", row.rules && (row.rules.join(", ") || "none spoke")],
      ["Preference", row.preference],
      ["Success expected", row.expected === undefined ? null : format.percent(row.expected)],
      ["Confidence", row.confidence === undefined ? null : confidence(row)],
      ["New to the predictor", row.novelty === undefined ? null : `${format.percent(row.novelty)}${row.out_of_depth ? ", out of its depth" : ""}`],
      ["Chosen with probability", row.propensity === undefined ? null : format.percent(row.propensity)],
      ["Explored with probability", row.exploration ? format.percent(row.exploration) : null],
      ["Tokens", tokens(row)],
      ["First token", row.first_token_s === null || row.first_token_s === undefined ? null : `after ${format.seconds(row.first_token_s)}`],
      ["Ended after", format.seconds(row.seconds)],
      ["Finish", row.finish],
      ["Voice", row.voice],
      ["Ensemble", row.ensemble],
      ["Feedback", row.feedback],
      ["Error", row.error],
      ["Id", el("code", { class: "id" }, row.id)],
    ]),
    row.tried?.length ? tried(row.tried) : null,
  );
}

function confidence(row) {
  const asked = row.threshold === null || row.threshold === undefined ? "" : ` (another is asked under ${format.percent(row.threshold)})`;
  return `${format.percent(row.confidence)}${asked}`;
}

function tokens(row) {
  if (row.prompt_tokens === undefined || (row.prompt_tokens === null && row.completion_tokens === null)) return null;
  return `${format.count(row.prompt_tokens)} read, ${format.count(row.completion_tokens)} written`;
}

function tried(entries) {
  const rows = entries.map((entry) => [
    entry.candidate,
    ROLES[entry.role] ?? entry.role,
    format.count(entry.calls),
    format.seconds(entry.seconds),
    format.percent(entry.confidence),
    entry.error ? `${entry.error}${entry.message ? `: ${entry.message}` : ""}` : "answered",
  ]);
  const columns = [["Candidate", "name"], ["Role", ""], ["Calls", "number"], ["Seconds", "number"], ["Confidence", "number"], ["What came of it", ""]];
  return table("Who was asked, in order", columns, rows);
}
