// Every candidate: whether it can be asked, whether it is in memory, how fast it is, what it is doing.

import { chip, el, table } from "./dom.js";
import { seriesOf } from "./colours.js";
import * as format from "./format.js";

const COLUMNS = [["Candidate", "name"], ["Health", ""], ["In memory", ""], ["Writes", "number"], ["First token", "number"], ["Breaker", ""], ["Running", "number"], ["Waiting", "number"], ["Last hour", "number"], ["Problem", "wide"]];
const BREAKERS = { closed: ["closed", "good"], half_open: ["half open", "warn"], open: ["open", "bad"] };

/** What of a status the table shows. */
export function candidatesOf(status) {
  const hour = status.metrics?.hour.candidates ?? {};
  return Object.entries(status.candidates).map(([name, entry]) => ({ name, entry, answers: hour[name]?.answers ?? 0, failures: hour[name]?.failures ?? {} }));
}

export function candidates(found) {
  if (!found.length) {
    return el("p", { class: "empty" }, "No candidate yet: start LM Studio or Ollama, or name a provider in the configuration.");
  }
  return table("Candidates: health, memory, speed and load", COLUMNS, found.map(rowOf));
}

function rowOf({ name, entry, answers, failures }) {
  const [breaker, tone] = BREAKERS[entry.breaker] ?? [entry.breaker, ""];
  const failed = Object.values(failures).reduce((sum, amount) => sum + amount, 0);
  return [
    [el("span", { class: `dot ${seriesOf(name)}`, "aria-hidden": "true" }), el("span", { class: "candidate" }, name), el("span", { class: "muted small" }, about(entry))],
    entry.problem ? chip("cannot be asked", "bad") : chip("ready", "good"),
    memory(entry),
    format.rate(entry.speeds.decode_tokens_per_s),
    format.seconds(entry.speeds.first_token_s),
    chip(breaker, tone),
    format.count(entry.running),
    format.count(entry.waiting),
    `${format.many(answers, "answer")}${failed ? `, ${format.count(failed)} failed` : ""}`,
    entry.problem || el("span", { class: "muted" }, "none"),
  ];
}

function about(entry) {
  const window = entry.loaded_context_length ?? entry.context_length;
  const parts = [entry.parameters, entry.quantization, window && `${format.count(window)} tokens of context`, entry.remote && "remote"];
  return parts.filter(Boolean).join(" · ");
}

function memory(entry) {
  if (entry.remote) return el("span", { class: "muted" }, "elsewhere");
  const size = entry.memory_bytes ?? entry.size_bytes;
  const told = size ? el("span", { class: "muted small" }, format.bytes(size)) : null;
  if (entry.loading) return [chip("loading", "warn"), told];
  if (entry.loaded) return [chip("loaded", "good"), told];
  if (entry.loaded === false || entry.is_cold) return [chip("cold"), told];
  return el("span", { class: "muted" }, "not known");
}
