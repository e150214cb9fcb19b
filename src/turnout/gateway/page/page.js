// The dashboard: looks at the gateway every two seconds and shows what it finds.

import { json } from "./api.js";
import { candidates, candidatesOf } from "./candidates.js";
import { setUpCharts, takeHour, takeTimeline } from "./charts.js";
import { meet } from "./colours.js";
import { forgetDecisions, setUpDecisions, takeDecisions, wanted } from "./decisions.js";
import { byId, el, show, showOf } from "./dom.js";
import * as format from "./format.js";
import { askForKey, setUpKeys } from "./keys.js";
import { drift, learned, learnedOf } from "./learned.js";
import * as panels from "./panels.js";
import { Poller } from "./poll.js";
import { setUpTheme } from "./themes.js";
import { offer, setUpTrying } from "./trying.js";

const STATES = { live: "Live", lost: "Connection lost", limited: "Asked too often", locked: "A key is needed", away: "Paused" };
const STATUS_EVERY = 2; // turns

let models = "";

async function look(turn) {
  const asked = [json(`/turnout/decisions?limit=${wanted()}`)];
  if (turn % STATUS_EVERY === 0) asked.push(json("/turnout/status"), json("/turnout/timeline"));
  const [latest, status, timeline] = await Promise.all(asked);
  if (status) {
    meet(Object.keys(status.candidates));
    await takeStatus(status);
    takeTimeline(timeline);
  }
  takeDecisions(latest.decisions);
}

async function takeStatus(status) {
  showOf(byId("overview"), status.metrics?.hour ?? null, panels.overview);
  showOf(byId("candidates-table"), candidatesOf(status), candidates);
  showOf(byId("predictor"), learnedOf(status), learned);
  showOf(byId("providers"), providersOf(status.providers), panels.providers);
  showOf(byId("history"), status.history, panels.history);
  showOf(byId("caches"), status.caches, panels.caches);
  showOf(byId("resources"), status.resources, panels.resources);
  showOf(byId("configuration"), { configuration: status.configuration, threshold: status.threshold }, panels.configuration);
  showOf(byId("drift"), status.drift ?? null, drift);
  showOf(byId("warnings"), [status.configuration.problem, status.history?.problem ?? "", status.drift?.alarms?.length ?? 0], warnings);
  show(byId("about"), `Turnout ${status.version}, running for ${format.duration(status.uptime_s)}`);
  takeHour(status.metrics?.hour);
  const known = JSON.stringify([status.configuration.fingerprint, Object.keys(status.candidates)]);
  if (known !== models) {
    offer((await json("/v1/models")).data);
    models = known;
  }
}

/** Without how long ago each was looked at, which changes all the time. */
function providersOf(found) {
  return Object.fromEntries(Object.entries(found).map(([name, { available, version, problem }]) => [name, { available, version, problem }]));
}

function warnings([configuration, history, alarms]) {
  return [
    configuration && el("div", { class: "banner warn" }, el("div", {}, el("p", {}, "The newest content of the configuration file is not used; what was there before still is."), el("pre", {}, configuration))),
    history && el("div", { class: "banner warn" }, el("p", {}, `The history has a problem: ${history}`)),
    alarms > 0 && el("div", { class: "banner warn" }, el("p", {}, `${format.many(alarms, "thing")} changed since the predictor learned: see `, el("a", { href: "#state" }, "Drift"), ".")),
  ];
}

function tell(state, message, code = "") {
  const connection = byId("connection");
  if (connection.dataset.state !== state) {
    connection.dataset.state = state;
    connection.textContent = STATES[state];
  }
  const trouble = byId("trouble");
  const isTrouble = state === "lost" || state === "limited" || state === "locked";
  const text = { lost: `Connection lost: ${message}. What is shown is from before. Trying again every few seconds.`, limited: `${message}. The page waits.`, locked: "A key is needed to see anything." }[state] ?? "";
  if (byId("trouble-text").textContent !== text) byId("trouble-text").textContent = text;
  byId("try-now").textContent = state === "locked" ? "Enter a key" : "Try now";
  if (state !== "away") trouble.hidden = !isTrouble;
  if (state === "locked") askForKey(code === "invalid_api_key");
}

setUpTheme();
setUpCharts();
const poller = new Poller(look, tell);
setUpDecisions(() => poller.now());
setUpKeys(() => {
  forgetDecisions();
  poller.now();
});
setUpTrying(() => poller.now(), (error) => tell("locked", error.message, error.code));
byId("try-now").addEventListener("click", () => poller.now());
poller.now();
