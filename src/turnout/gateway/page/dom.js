// Making elements. Every text goes in as a text node, so that nothing a server says can become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false && child !== "") node.append(child);
  }
}

/** An element: attributes by name (functions are listeners), then children: nodes and texts. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function byId(id) {
  return document.getElementById(id);
}

/** New content in place of the old. */
export function show(node, ...children) {
  node.replaceChildren();
  add(node, children);
}

const drawn = new WeakMap();

/** New content, unless it would be made of the same value: what a person selected or focused stays. */
export function showOf(node, value, make) {
  const text = JSON.stringify(value);
  if (drawn.get(node) === text) return;
  drawn.set(node, text);
  show(node, make(value));
}

/** A small mark with a word on it; `tone` is good, warn, bad or nothing. */
export function chip(text, tone = "", title = null) {
  return el("span", { class: `chip ${tone}`, title }, text);
}

/** Terms and what is known of them; those with null are left out. */
export function facts(entries) {
  const known = entries.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/**
 * A table that stays one for screen readers where it is shown as cards. Columns are [name, class]; a cell is a node or a
 * text; the first cell of a row is its header. A slim table stays one at every width.
 */
export function table(caption, columns, rows, isSlim = false) {
  const head = columns.map(([name, kind]) => el("th", { scope: "col", role: "columnheader", class: kind }, name));
  const body = rows.map((cells) => el("tr", { role: "row" }, cells.map((cell, at) => cellOf(columns[at], cell, at))));
  return el(
    "table",
    { role: "table", class: isSlim && "slim" },
    el("caption", {}, caption),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, head)),
    el("tbody", { role: "rowgroup" }, body),
  );
}

function cellOf([name, kind], content, at) {
  const first = at === 0;
  const attributes = { class: kind, "data-label": name, role: first ? "rowheader" : "cell", scope: first ? "row" : null };
  return el(first ? "th" : "td", attributes, content);
}
