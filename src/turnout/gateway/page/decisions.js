// The live table: the latest requests, newest first, each row with everything behind it.

import { byId, chip, el, show } from "./dom.js";
import { details } from "./details.js";
import { feedbackButtons, press } from "./feedback.js";
import * as format from "./format.js";

const MOST = 200;
const COLUMNS = [["Time", "time"], ["Prompt", "prompt"], ["Candidate", "name"], ["Why", "why"], ["Seconds", "number"], ["Confidence", "number"], ["Feedback", "feedback"]];

const rows = new Map(); // what is known, by id; the newest come first when shown
const bodies = new Map(); // what is shown, by id
let held = null; // ids that are shown while the table is held still

export function setUpDecisions(more) {
  byId("hold").addEventListener("click", () => {
    held = held === null ? new Set(latest().map((row) => row.id)) : null;
    byId("hold").setAttribute("aria-pressed", String(held !== null));
    draw();
  });
  byId("shown").addEventListener("change", () => {
    draw();
    more();
  });
}

/** How many are shown at most. */
export function wanted() {
  return Number(byId("shown").value);
}

/** Take in the latest. Several processes may answer in turn, each with its own, so they are put together here. */
export function takeDecisions(found) {
  for (const row of found) {
    const known = rows.get(row.id);
    if (known && !row.feedback) row.feedback = known.feedback;
    rows.set(row.id, row);
  }
  if (rows.size > MOST) {
    const kept = [...rows.values()].sort((one, other) => other.at - one.at).slice(0, MOST);
    rows.clear();
    for (const row of kept) rows.set(row.id, row);
  }
  draw();
}

/** Forget everything: another key may see other things. */
export function forgetDecisions() {
  rows.clear();
  bodies.clear();
  show(byId("decisions-table"), el("p", { class: "empty" }, "Looking for requests."));
}

function latest() {
  const found = [...rows.values()].filter((row) => held === null || held.has(row.id));
  return found.sort((one, other) => other.at - one.at).slice(0, wanted());
}

function draw() {
  const place = byId("decisions-table");
  const shown = latest();
  if (!shown.length) {
    if (!place.querySelector(".first-steps")) show(place, empty());
    return;
  }
  const table = place.querySelector("table") ?? begun(place);
  const ids = new Set(shown.map((row) => row.id));
  for (const [id, body] of bodies) {
    if (ids.has(id)) continue;
    body.remove();
    bodies.delete(id);
  }
  let before = table.tHead;
  for (const row of shown) {
    let body = bodies.get(row.id);
    if (!body) bodies.set(row.id, (body = bodyOf(row)));
    else if (row.feedback) press(body.querySelector(".thumbs") ?? el("div"), row.feedback);
    if (before.nextElementSibling !== body) before.after(body);
    before = body;
  }
}

function begun(place) {
  const head = COLUMNS.map(([name, kind]) => el("th", { scope: "col", role: "columnheader", class: kind }, name));
  const table = el(
    "table",
    { role: "table", class: "decisions" },
    el("caption", { class: "unseen" }, "The latest requests, newest first. The button in a row shows all of it."),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
  );
  show(place, table);
  return table;
}

function bodyOf(row) {
  const id = `more-${row.id}`;
  const toggle = el(
    "button",
    { type: "button", class: "toggle", "aria-expanded": "false", "aria-controls": id, "aria-label": `Details of ${format.clock(row.at)}` },
    el("time", { datetime: format.iso(row.at) }, format.clock(row.at)),
  );
  const more = el("tr", { class: "more", id, role: "row", hidden: true }, el("td", { colspan: COLUMNS.length, role: "cell" }));
  const open = () => {
    const isOpen = toggle.getAttribute("aria-expanded") === "true";
    toggle.setAttribute("aria-expanded", String(!isOpen));
    show(more.firstElementChild, isOpen ? null : details(rows.get(row.id) ?? row));
    more.hidden = isOpen;
  };
  const cells = [toggle, promptOf(row), whoOf(row), el("span", { class: "clamp", title: whyOf(row) }, whyOf(row)), format.seconds(row.seconds), format.percent(row.confidence), thumbsOf(row)];
  const main = el("tr", { role: "row", class: row.error ? "failed" : "" }, cells.map((cell, at) => cellOf(at, cell)));
  main.addEventListener("click", (event) => {
    if (event.target.closest(".thumbs") || String(getSelection())) return;
    open();
  });
  return el("tbody", { role: "rowgroup", "data-decision": row.id }, main, more);
}

function cellOf(at, content) {
  const [name, kind] = COLUMNS[at];
  const attributes = { class: kind, "data-label": name, role: at ? "cell" : "rowheader", scope: at ? null : "row" };
  return el(at ? "td" : "th", attributes, content);
}

function promptOf(row) {
  if (row.prompt === null) return el("span", { class: "muted" }, row.own ? "prompts are not kept" : "of another key");
  return el("span", { class: "clamp", dir: "auto" }, row.prompt || "(empty)");
}

function whoOf(row) {
  const who = row.candidate ?? row.decided_for;
  return [el("span", { class: "candidate" }, who ?? "nobody"), marks(row)];
}

/** What was out of the ordinary. */
export function marks(row) {
  const found = [
    row.error && (row.error === "cancelled" ? chip("cancelled", "warn") : chip("failed", "bad")),
    row.escalated && chip("escalated", "warn"),
    row.fell_back && chip("fell back", "warn"),
    row.cached && chip(`cached (${row.cached})`, "good"),
  ].filter(Boolean);
  return found.length ? el("span", { class: "chips" }, found) : null;
}

function whyOf(row) {
  return row.error ? row.message || row.error : row.reason ?? "";
}

function thumbsOf(row) {
  if (row.error || !row.own) return el("span", { class: "muted" }, "–");
  return feedbackButtons(row.id, row.feedback, row.prompt?.slice(0, 60) || format.clock(row.at));
}

function empty() {
  return el(
    "div",
    { class: "empty first-steps" },
    el("p", {}, "No request yet: point a client at ", el("code", {}, `${location.origin}/v1`), " (OpenAI) or ", el("code", {}, location.origin), " (Ollama)."),
    el("p", {}, "Or try a prompt on this page."),
  );
}
