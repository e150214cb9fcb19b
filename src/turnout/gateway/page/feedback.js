// Good or bad, for one answer.

import { json, said } from "./api.js";
import { byId, el } from "./dom.js";

/** Two buttons for an answer; `given` is what was said before, `about` names the answer for screen readers. */
export function feedbackButtons(decision, given, about) {
  const buttons = ["good", "bad"].map((kind) =>
    el("button", {
      type: "button",
      class: `thumb ${kind}`,
      "aria-pressed": String(given === kind),
      "aria-label": `${kind} answer: ${about}`,
      "data-kind": kind,
      click: () => void send(group, decision, kind),
    }, kind === "good" ? "Good" : "Bad"),
  );
  const group = el("div", { class: "thumbs", role: "group", "aria-label": "Feedback" }, buttons);
  return group;
}

/** Press the button of what was said. */
export function press(group, kind) {
  for (const button of group.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.kind === kind));
  }
}

async function send(group, decision, kind) {
  const told = byId("feedback-said");
  group.parentElement?.querySelector(".thumbs-error")?.remove();
  try {
    await json("/turnout/feedback", { decision, kind });
    for (const other of document.querySelectorAll(`[data-decision="${CSS.escape(decision)}"] .thumbs`)) press(other, kind);
    press(group, kind);
    told.textContent = `Noted: a ${kind} answer.`;
  } catch (error) {
    told.textContent = `The feedback was not taken: ${said(error)}`;
    group.after(el("p", { class: "error thumbs-error" }, said(error)));
  }
}
