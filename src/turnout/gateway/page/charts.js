// Keeps the charts drawn: at the width there is, and with the newest figures.

import { byId, showOf } from "./dom.js";
import { qualityChart, qualityOf, qualityTable } from "./scatter.js";
import { binned, requestsChart, requestsTable, shareChart, shareTable } from "./timecharts.js";

const CHARTS = [["share", shareChart, shareTable], ["requests", requestsChart, requestsTable], ["quality", qualityChart, qualityTable]];
const values = {};

export function setUpCharts() {
  const watcher = new ResizeObserver(draw);
  for (const [name] of CHARTS) {
    watcher.observe(byId(`${name}-chart`));
    byId(`${name}-table`).closest("details").addEventListener("toggle", draw);
  }
}

export function takeTimeline(told) {
  values.share = values.requests = binned(told);
  draw();
}

export function takeHour(hour) {
  values.quality = qualityOf(hour);
  draw();
}

function draw() {
  for (const [name, chart, asTable] of CHARTS) {
    const value = values[name];
    if (value === undefined) continue;
    const place = byId(`${name}-chart`);
    const width = Math.floor(place.clientWidth);
    if (width > 0) showOf(place, { value, width }, () => chart(value, width));
    const rows = byId(`${name}-table`);
    if (rows.closest("details").open) showOf(rows, value, asTable);
  }
}
