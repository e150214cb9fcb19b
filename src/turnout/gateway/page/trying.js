// The box to try a prompt: explain who would answer, or ask and read along.

import { Refused, json, open, said } from "./api.js";
import { marks } from "./decisions.js";
import { byId, el, show } from "./dom.js";
import { explained } from "./explained.js";
import { feedbackButtons } from "./feedback.js";
import * as format from "./format.js";
import { events } from "./stream.js";

let running = null;
let locked = () => {};

/** Set up; `ended` is called after each answer, `refused` where a key is needed. */
export function setUpTrying(ended, refused) {
  locked = refused;
  byId("try-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void ask(ended);
  });
  byId("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void ask(ended);
    }
  });
  byId("explain").addEventListener("click", () => void explain());
  byId("stop").addEventListener("click", () => running?.abort());
}

/** Offer what may be named, keeping what was chosen. */
export function offer(models) {
  const place = byId("model");
  const chosen = place.value;
  const groups = [["Let Turnout choose", (one) => one.id.startsWith("auto") && one.owned_by === "turnout"], ["Voices and ensembles", (one) => one.owned_by === "turnout"], ["One candidate", () => true]];
  const left = [...models];
  show(place, groups.map(([name, isIn]) => {
    const found = left.filter(isIn);
    for (const one of found) left.splice(left.indexOf(one), 1);
    return found.length ? el("optgroup", { label: name }, found.map((one) => el("option", { value: one.id, title: one.description }, one.id))) : null;
  }));
  place.value = models.some((one) => one.id === chosen) ? chosen : models[0]?.id;
}

function prompt() {
  const text = byId("prompt").value;
  const isEmpty = !text.trim();
  tell(isEmpty ? "Write a prompt first." : "");
  if (isEmpty) byId("prompt").focus();
  return isEmpty ? null : text;
}

function tell(text) {
  const place = byId("try-error");
  place.hidden = !text;
  place.textContent = text;
}

function failed(error) {
  if (error instanceof Refused && error.status === 401) locked(error);
  tell(said(error));
}

async function explain() {
  const text = prompt();
  if (text === null || running) return;
  const place = byId("try-explained");
  try {
    const told = await json("/turnout/route", { prompt: text, model: byId("model").value });
    byId("try-answer").hidden = true;
    show(place, explained(told));
    place.hidden = false;
    byId("feedback-said").textContent = `Explained: ${told.candidate} would be asked.`;
  } catch (error) {
    place.hidden = true;
    failed(error);
  }
}

async function ask(ended) {
  if (running) return;
  const text = prompt();
  if (text === null) return;
  begin();
  const answer = new Answer();
  try {
    const body = { model: byId("model").value, messages: [{ role: "user", content: text }], stream: true };
    const response = await open("/v1/chat/completions", { body, signal: running.signal });
    answer.begun(response.headers);
    for await (const event of events(response)) answer.take(event);
    answer.ended();
  } catch (error) {
    if (running.signal.aborted) answer.stopped();
    else {
      answer.broken();
      failed(error);
    }
  } finally {
    finish();
    ended();
  }
}

function begin() {
  running = new AbortController();
  byId("try-explained").hidden = true;
  byId("try-answer").hidden = false;
  byId("answer-text").setAttribute("aria-busy", "true");
  for (const id of ["ask", "explain"]) byId(id).setAttribute("aria-disabled", "true");
  byId("stop").hidden = false;
}

function finish() {
  const hadFocus = document.activeElement === byId("stop");
  running = null;
  byId("answer-text").removeAttribute("aria-busy");
  for (const id of ["ask", "explain"]) byId(id).removeAttribute("aria-disabled");
  byId("stop").hidden = true;
  if (hadFocus) byId("ask").focus();
}

/** One answer on its way. */
class Answer {
  constructor() {
    this.text = document.createTextNode("");
    this.thought = document.createTextNode("");
    this.decision = "";
    this.told = null;
    this.finish = "";
    show(byId("answer-text"), this.text);
    show(byId("thought-text"), this.thought);
    byId("thought").hidden = true;
    show(byId("answer-who"), "Deciding, and waiting for the first word.");
    show(byId("answer-state"));
    show(byId("answer-feedback"));
  }

  begun(headers) {
    this.decision = headers.get("x-turnout-decision") ?? "";
    this.who(headers.get("x-turnout-candidate"), headers.get("x-turnout-reason"));
  }

  who(candidate, reason, marked = null) {
    show(byId("answer-who"), el("strong", { class: "candidate" }, candidate || "nobody yet"), marked, reason ? ` because ${reason}` : "");
  }

  take(event) {
    if (event.error) throw new Error(event.error.message ?? "the answer failed");
    if (event.turnout) this.told = event.turnout;
    const [choice] = event.choices ?? [];
    this.finish = choice?.finish_reason ?? this.finish;
    const { content, reasoning_content: thought } = choice?.delta ?? {};
    if (content) this.text.appendData(content);
    if (thought) {
      byId("thought").hidden = false;
      this.thought.appendData(thought);
    }
  }

  ended() {
    const told = this.told;
    if (!told) return;
    this.who(told.candidate, told.reason, marks({ ...told, error: "" }));
    const cut = this.finish === "length" ? "; cut at the longest length" : "";
    const warnings = told.warnings?.length ? ` Warnings: ${told.warnings.join("; ")}.` : "";
    show(byId("answer-state"), `Done in ${format.seconds(told.seconds)}, confidence ${format.percent(told.confidence)}${cut}.${warnings}`);
    const buttons = feedbackButtons(told.decision, "", "the one above");
    show(byId("answer-feedback"), el("div", { "data-decision": told.decision }, buttons));
  }

  stopped() {
    show(byId("answer-state"), "Stopped.");
    if (!this.decision) show(byId("answer-who"));
  }

  broken() {
    show(byId("answer-state"), this.text.data ? "The answer is not complete." : "");
    if (!this.decision) show(byId("answer-who"));
    if (!this.text.data) byId("try-answer").hidden = true;
  }
}
