// The table of routes.

import { arrange, byId, el, setAttribute, setText } from "./dom.js";
import { clock, count, rate } from "./format.js";

const STATES = ["ordered", "connected", "ready", "draining"];

// Dots of a route; more are a number.
const DOTS = 12;

const COLUMNS = [
  { name: "route", of: (row) => row.host, text: true },
  { name: "state", of: (row) => row.state, text: true },
  { name: "req/s", of: (row) => row.rate ?? -1 },
  { name: "in flight", of: (row) => row.in_flight },
  { name: "held", of: (row) => row.held },
  { name: "instances", of: (row) => total(row) },
  { name: "last start", of: (row) => row.last?.time ?? -1 },
  { name: "problem", of: (row) => problem(row), text: true },
];

function total(row) {
  return STATES.reduce((sum, state) => sum + row.instances[state], 0);
}

// What is wrong, or why the last start has failed.
function problem(row) {
  return [row.last?.trouble, ...row.problems].filter(Boolean).join("; ");
}

// The buttons of a route: [verb, what it does].
function verbs(row) {
  const closed = row.state === "paused" || row.state === "stopped";
  return [
    ["wake", "Have at least one instance ready"],
    ["roll", "Replace the instances by new ones, one at a time"],
    ["drain", "End the instances when they have finished their requests"],
    closed ? ["resume", "Serve the clients again"]
      : ["pause", "Hold the clients of this route for at most 30 s"],
  ];
}

export class Routes {
  // change(host, verb) performs what a button says.
  constructor({ select, change }) {
    this.select = select;
    this.change = change;
    this.sorted = { column: COLUMNS[0], down: false };
    this.rows = new Map();
    this.shown = [];
    this.filter = byId("filter");
    this.filter.addEventListener("input", () => this.update(this.routes, this.view));
    this.heads = COLUMNS.map((column) => this.head(column));
    this.body = el("tbody");
    byId("table").append(
      el("thead", {}, el("tr", {}, ...this.heads, el("th", { scope: "col" },
        el("span", { class: "hidden" }, "buttons")))), this.body);
  }

  head(column) {
    const sort = () => {
      const again = this.sorted.column === column;
      this.sorted = { column, down: again ? !this.sorted.down : !column.text };
      this.update(this.routes, this.view);
    };
    return el("th", { scope: "col", class: column.text ? "text" : "number" },
      el("button", { type: "button", on: { click: sort } }, column.name));
  }

  // view: {selected, next: there are more routes than these}
  update(routes, view) {
    [this.routes, this.view] = [routes, view];
    const { column, down } = this.sorted;
    const wanted = this.filter.value.trim().toLowerCase();
    const found = routes.filter((row) => row.host.includes(wanted) || row.state === wanted);
    const compare = (a, b) => (column.of(a) < column.of(b) ? -1 : column.of(a) > column.of(b) ? 1 : 0);
    found.sort((a, b) => (down ? -1 : 1) * compare(a, b) || (a.host < b.host ? -1 : 1));
    this.heads.forEach((head, index) => setAttribute(head, "aria-sort",
      COLUMNS[index] === column ? (down ? "descending" : "ascending") : null));
    const known = new Set(routes.map((row) => row.host));
    for (const host of this.rows.keys()) if (!known.has(host)) this.rows.delete(host);
    arrange(this.body, found.map((row) => this.row(row)));
    const more = view.next ? " of more; those after them are not shown" : "";
    setText(byId("count"), found.length === routes.length
      ? `${routes.length}${more}` : `${found.length} of ${routes.length}${more}`);
  }

  row(row) {
    let made = this.rows.get(row.host);
    if (made === undefined) {
      made = this.make(row.host);
      this.rows.set(row.host, made);
    }
    this.show(made, row);
    return made.element;
  }

  make(host) {
    const cells = COLUMNS.slice(1).map((column) =>
      el("td", { class: column.text ? "text" : "number", "data-column": column.name }));
    const name = el("button", { type: "button", class: "name", title: host,
      on: { click: () => this.select(host) } }, host);
    const buttons = el("td", { class: "buttons" });
    const element = el("tr", { "data-route": host },
      el("th", { scope: "row" }, name), ...cells, buttons);
    return { element, name, cells, buttons, verbs: "" };
  }

  show(made, row) {
    const [state, perSecond, flight, held, instances, last, trouble] = made.cells;
    setAttribute(made.element, "data-state", row.state);
    setAttribute(made.element, "aria-selected", String(this.view.selected === row.host));
    setAttribute(made.name, "aria-expanded", String(this.view.selected === row.host));
    if (state.textContent !== row.state) {
      state.replaceChildren(el("span", { class: `state ${row.state}` }, row.state));
    }
    setText(perSecond, rate(row.rate));
    setText(flight, `${row.in_flight}/${row.capacity}`);
    setText(held, String(row.held));
    held.classList.toggle("waits", row.held > 0);
    this.dots(instances, row);
    setText(last, row.last ? row.last.text : "–");
    last.classList.toggle("bad", Boolean(row.last?.trouble));
    setAttribute(last, "title", row.last ? clock(row.last.time) : null);
    setText(trouble, problem(row));
    setAttribute(trouble, "title", problem(row) || null);
    this.buttons(made, row);
  }

  dots(cell, row) {
    const number = total(row);
    const label = number === 0 ? "none"
      : STATES.filter((each) => row.instances[each])
        .map((each) => `${row.instances[each]} ${each}`).join(", ");
    if (cell.getAttribute("aria-label") === label) return;
    setAttribute(cell, "aria-label", label);
    setAttribute(cell, "title", label);
    const dots = STATES.slice().reverse().flatMap((state) =>
      Array.from({ length: row.instances[state] }, () => el("i", { class: `dot ${state}` })));
    const rest = number - DOTS;
    cell.replaceChildren(el("span", { class: "dots" }, ...dots.slice(0, DOTS)),
      number ? el("span", { class: "soft" }, rest > 0 ? ` ${number}` : "") : "");
  }

  buttons(made, row) {
    const wanted = verbs(row);
    const names = wanted.map(([verb]) => verb).join();
    if (made.verbs === names) return;
    made.verbs = names;
    const focused = made.buttons.contains(document.activeElement)
      ? [...made.buttons.children].indexOf(document.activeElement) : -1;
    made.buttons.replaceChildren(...wanted.map(([verb, text]) => this.button(row.host, verb, text)));
    if (focused >= 0) made.buttons.children[focused].focus();
  }

  button(host, verb, text) {
    const press = async (event) => {
      const button = event.currentTarget;
      if (button.getAttribute("aria-busy") === "true") return;
      button.setAttribute("aria-busy", "true");
      setText(byId("done"), `${host}: ${verb} …`);
      byId("done").classList.remove("failed");
      const { ok, said } = await this.change(host, verb);
      setText(byId("done"), `${host}: ${said}`);
      byId("done").classList.toggle("failed", !ok);
      button.removeAttribute("aria-busy");
    };
    return el("button", { type: "button", title: text, "aria-label": `${verb} ${host}`,
      on: { click: press } }, verb);
  }
}

// What was done, as one line.
export function outcome(verb, route) {
  const parts = STATES.filter((each) => route.instances[each])
    .map((each) => `${route.instances[each]} ${each}`);
  return `${verb} is done: ${route.state}, ${parts.join(", ") || count(0, "instance")}`;
}
