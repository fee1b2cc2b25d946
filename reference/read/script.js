"use strict";

// --- light or dark: what the system says, until a reader says otherwise ---------------------------------------------

const root = document.documentElement;
const toggle = document.querySelector(".theme");
toggle.hidden = false;
toggle.addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* a page from disk may have no storage */ }
});

// --- a symbol that is pointed at, focused or pressed is marked wherever it stands ------------------------------------

let pressed = null;

function mark(name) {
  for (const element of document.querySelectorAll("[data-symbol]")) element.classList.toggle("on", element.dataset.symbol === name);
}
function symbolAt(event) {
  const element = event.target.closest?.("[data-symbol]");
  return element ? element.dataset.symbol : null;
}
if (document.querySelector("[data-symbol]")) {
  document.addEventListener("pointerover", (event) => mark(symbolAt(event) ?? pressed));
  document.addEventListener("focusin", (event) => mark(symbolAt(event) ?? pressed));
  document.addEventListener("focusout", () => mark(pressed));
  document.addEventListener("click", (event) => {
    const name = symbolAt(event);
    if (name === null) return;
    pressed = pressed === name ? null : name;
    for (const button of document.querySelectorAll("button[data-symbol]")) {
      button.setAttribute("aria-pressed", String(button.dataset.symbol === pressed));
    }
    mark(pressed ?? name);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pressed = null;
    for (const button of document.querySelectorAll("button[data-symbol]")) button.setAttribute("aria-pressed", "false");
    mark(null);
  });
}

// --- numbers: a story has runs, a run has steps, a step has arrays ---------------------------------------------------

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const superscript = (number) => String(number).replace(/[-0-9]/g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);

/* The power of ten that a number's array is shown in: small gradients as 1.23 × 10⁻³. */
const powerOf = (scale) => (scale && (scale < 0.1 || scale >= 1000) ? Math.floor(Math.log10(scale)) : 0);

function cell(value, scale, right) {
  const made = element("td");
  if (value === null) {
    made.className = "none";
    made.textContent = "–";
  } else {
    made.textContent = (value / 10 ** powerOf(scale)).toFixed(2).replace("-", "−").replace(/^−0\.00$/, "0.00");
    made.className = value < 0 ? "minus" : "plus";
    made.style.setProperty("--a", Math.sqrt(Math.min(1, Math.abs(value) / (scale || 1))).toFixed(3));
  }
  if (right !== undefined && right !== value) made.classList.add("off");
  return made;
}

function heat(array, { rows, columns, scale, right, counts, marks }) {
  const table = element("table");
  if (columns) table.append(element("tr", {}, element("td", { className: "corner" }), ...columns.map((name) => element("th", { scope: "col", textContent: name }))));
  array.forEach((values, at) => {
    const head = element("th", { scope: "row", textContent: rows?.[at] ?? "" });
    if (counts?.[at]) head.append(element("span", { className: "count", textContent: `×${counts[at]}` }));
    const line = element("tr", {}, head, ...values.map((value, column) => cell(value, scale, right?.[at]?.[column])));
    if (marks) { line.dataset.symbol = marks[at]; line.className = "symbol"; }
    if (values.every((value) => value === null)) line.classList.add("untouched");
    table.append(line);
  });
  return element("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: "values" }, table);
}

const NAMES = {
  table: "the table", context: "the table of contexts", pooled: "the pooled vectors", hidden: "the hidden vectors", active: "what is active",
  logits: "the logits", loss: "the loss", d_logits: "the gradient at the logits", d_active: "the gradient after relu",
  d_hidden: "the gradient at the hidden vectors", d_pooled: "the gradient at the pooled vectors",
  d_table: "the gradient of the table", d_context: "the gradient of the table of contexts",
};

function show(section, story) {
  const slider = section.querySelector("input[type=range]");
  const at = Number(slider.value) - 1;
  const run = story.runs[Number(section.querySelector("input[type=radio]:checked").value)];
  const right = story.runs[0].steps[at];
  const step = run.steps[at];
  if (story.ids) for (const some of [step, right]) some.looked_up = story.ids.flat().map((id) => some.table[id]);
  const pairs = story.pairs?.[at];
  const scaleOf = (array) => story.scale[array === "looked_up" ? "table" : array];
  const rowsOf = (array) => story.rows[array] ?? (pairs ? pairs.map(([center, context]) => `${center} → ${context}`) : story.rows[""]);
  const counts = pairs ? story.words.map((word) => pairs.filter(([center]) => center === word).length) : story.counts;

  for (const figure of section.querySelectorAll("[data-array]")) {
    const array = figure.dataset.array;
    const scale = scaleOf(array);
    const power = powerOf(scale);
    const ofRows = array === "table" || array === "d_table";
    figure.querySelector(".heat").replaceChildren(heat(step[array], {
      rows: array === "loss" ? [""] : rowsOf(array), columns: story.columns?.[array], scale,
      right: run === story.runs[0] ? undefined : right[array], counts: ofRows ? counts : null, marks: array === "looked_up" ? story.ids.flat().map(String) : story.rows[array],
    }));
    figure.querySelector(".shape").textContent = power ? `× 10${superscript(power)}` : "";
    const here = run.departs && run.departs.array === array && run.departs.step === at + 1;
    figure.classList.toggle("departs", Boolean(here));
  }
  section.querySelector("output").textContent = `${at + 1} of ${run.steps.length}, loss ${step.loss[0][0]?.toPrecision(3) ?? "not finite"}`;
  slider.setAttribute("aria-valuetext", section.querySelector("output").textContent);

  const verdict = section.querySelector(".verdict");
  verdict.replaceChildren();
  if (run !== story.runs[0]) {
    const code = (textContent) => element("code", { textContent });
    verdict.append(element("strong", { textContent: run.name }), `: ${run.sentence}. `, code(run.wrong), " for ", code(run.instead), ". ");
    const from = run.departs;
    if (from) {
      const row = story.rows[from.array]?.[from.row];
      const sign = (value) => (value === null ? "no gradient" : String(value).replace("-", "−"));
      const where = `in ${NAMES[from.array]}${row === undefined ? "" : `, row ${row}`}`;
      verdict.append(element("span", { className: "wrong", textContent: `The path first departs in step ${from.step}, ${where}: ${sign(from.expected)} is right, ${sign(from.got)} came.` }));
    }
  }
  if (pairs) section.querySelector(".pairs").textContent = `In this step: ${pairs.map(([center, context]) => `“${center}” predicts “${context}”`).join(", ")}.`;
  sums(section.querySelector(".sums"), step.sums, story.scale.d_table);
  curve(section.querySelector(".curve"), story.runs[0], run, at);
  mark(pressed);
}

function sums(place, found, scale) {
  if (!place) return;
  const power = powerOf(scale);
  place.replaceChildren(...found.map(({ row, parts, sum, got, same }) => {
    const line = (name, values, className = "") => element("tr", { className }, element("th", { scope: "row", textContent: name }), ...values.map((value) => cell(value, scale)));
    const table = element("table", {},
      ...parts.map((part) => line(`from ${part.from}`, part.values)),
      line("their sum", sum, "total"),
      line("the row got", got, same ? "" : "off"));
    const said = same ? "the row got the sum ✓" : "the row did not get the sum ✗";
    return element("figure", { className: same ? "" : "departs" },
      element("figcaption", {}, element("strong", { textContent: `Row ${row}` }), ` ${power ? `× 10${superscript(power)}` : ""}`,
        element("span", { className: same ? "right" : "wrong", textContent: said })),
      element("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: `row ${row}` }, table));
  }));
}

function curve(svg, right, run, at) {
  const losses = (of) => of.steps.map((step) => step.loss[0][0]);
  const most = Math.max(...losses(right)) * 1.15;
  const x = (i) => 6 + (288 * i) / Math.max(1, right.steps.length - 1);
  const y = (loss) => 54 - 48 * Math.min(1, (loss ?? most) / most);
  const line = (of) => losses(of).map((loss, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(loss).toFixed(1)}`).join("");
  const path = (of, className) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "path");
    made.setAttribute("d", line(of));
    made.setAttribute("class", className);
    return made;
  };
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  for (const [name, value] of Object.entries({ cx: x(at), cy: y(losses(run)[at]), r: 4 })) dot.setAttribute(name, value);
  svg.replaceChildren(path(right, "good"), ...(run === right ? [] : [path(run, "bad")]), dot);
}

for (const section of document.querySelectorAll(".story")) {
  const story = JSON.parse(section.querySelector("script").textContent);
  section.addEventListener("input", () => show(section, story));
  show(section, story);
}
