// Checks of the page as it stands, run in it: what faint() and problems() return should be empty.

const visible = (node) => node.checkVisibility({ visibilityProperty: true });
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

function channels(colour) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}

function luminance(rgb) {
  const [r, g, b] = rgb.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function behind(node) {
  for (let at = node; at; at = at.parentElement) {
    const found = channels(getComputedStyle(at).backgroundColor);
    if (found[3] === 255) return found.slice(0, 3);
  }
  return [255, 255, 255];
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// Texts under 4.5 to 1, marks of charts under 3 to 1.
function faint() {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !visible(node) || node.closest("option, script, title, .unseen, .skip")) continue;
    const style = getComputedStyle(node);
    const ratio = contrast(channels(node.closest("svg") ? style.fill : style.color).slice(0, 3), behind(node));
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 60)}`);
  }
  for (const mark of document.querySelectorAll(".chart rect, .chart circle, .chart path, .dot")) {
    const style = getComputedStyle(mark);
    const ratio = contrast(channels(mark.closest("svg") ? style.fill : style.backgroundColor).slice(0, 3), behind(mark.parentElement));
    if (ratio < 3) found.push(`${ratio.toFixed(2)}: mark ${mark.getAttribute("class")}`);
  }
  return [...new Set(found)];
}

function nameOf(node) {
  const labels = (node.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean);
  const said = labels.map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
  const own = node.matches("input, select, textarea") ? "" : node.textContent;
  return (said || node.getAttribute("aria-label") || [...(node.labels ?? [])].map((label) => label.textContent).join(" ") || own).trim();
}

function problems() {
  const found = [];
  const check = (right, told) => right || found.push(told);
  check(document.documentElement.lang === "en", "no language");
  check(document.querySelectorAll("h1").length === 1, "not one h1");
  for (const mark of ["header", "nav", "main", "footer"]) check(document.querySelectorAll(`body > ${mark}, body > header > ${mark}`).length === 1, `no ${mark}`);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  check(new Set(ids).size === ids.length, "an id twice");
  for (const node of document.querySelectorAll("input, select, textarea, button, a, summary")) check(nameOf(node), `no name: ${node.outerHTML.slice(0, 100)}`);
  for (const node of document.querySelectorAll("section, nav, dialog, [role=region], [role=group], svg[role=img]")) check(nameOf(node), `no name: ${node.outerHTML.slice(0, 100)}`);
  for (const name of ["aria-controls", "aria-labelledby", "aria-describedby"]) {
    for (const node of document.querySelectorAll(`[${name}]`)) {
      for (const id of node.getAttribute(name).split(" ")) check(document.getElementById(id) || !visible(node), `${name} leads nowhere: ${id}`);
    }
  }
  let level = 0;
  for (const node of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    if (!visible(node)) continue;
    const own = Number(node.tagName[1]);
    check(own <= level + 1, `a heading too deep: ${node.textContent}`);
    level = own;
  }
  for (const node of document.querySelectorAll("table")) {
    check(node.caption?.textContent.trim(), "a table without a caption");
    check([...node.querySelectorAll("th")].every((cell) => cell.scope), "a header cell without a scope");
    check(node.getAttribute("role") === "table", "a table that may be none where it is shown as cards");
  }
  for (const node of document.querySelectorAll("button, select, input, textarea, nav a, summary")) {
    if (!visible(node) || node.closest(".skip")) continue;
    check(node.getBoundingClientRect().height >= 20, `too low to be hit: ${nameOf(node)}`);
  }
  for (const id of ["try-error", "trouble"]) check(document.getElementById(id).getAttribute("role") === "alert", `${id} is not told`);
  check(document.getElementById("answer-text").getAttribute("aria-live") === "polite", "the answer is not told");
  return found;
}

// Elements that reach beyond the right edge.
function outside() {
  const beyond = (node) => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 1;
  return [...document.querySelectorAll("main *")].filter((node) => beyond(node) && !node.closest(".unseen, svg")).map((node) => node.outerHTML.slice(0, 120));
}

// How many elements the Tab key should come by.
function reachable() {
  return [...document.querySelectorAll("a, button, select, textarea, summary")].filter((node) => node.checkVisibility()).length;
}

// Let the page believe that its tab is hidden, or seen again.
function hide(hidden) {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}

// The text of what the page makes of an explanation.
async function explain(told) {
  const { explained } = await import("/page/explained.js");
  return explained(told).flat(9).map((node) => node?.textContent ?? "").join(" ");
}

// Open every row and every table.
function unfold() {
  document.querySelector(".toggle").click();
  for (const node of document.querySelectorAll("details")) node.open = true;
}
