// One route in detail: its last starts as waterfalls, its instances, and what its apps print.

import { follow, path } from "./api.js";
import { arrange, byId, el, setAttribute, setText } from "./dom.js";
import { bytes, clock, duration } from "./format.js";
import { why } from "./lives.js";

// Lines of the apps that are shown.
const LINES = 300;

const PHASES = ["order", "boot", "ready"];
const COLUMNS = ["instance", "state", "in flight", "exchanges", "age", "memory", "CPU", "node"];

export class Route {
  constructor({ close, report }) {
    this.report = report;
    this.title = el("h2", { id: "route-title", tabindex: "-1" });
    this.facts = el("p", { class: "soft" });
    this.starts = el("ol", { class: "starts" });
    this.rows = new Map();
    this.instances = el("tbody");
    this.log = el("ol", { class: "lines log", tabindex: "0", "aria-label": "What its apps print" });
    this.host = null;
    byId("route").append(
      el("div", { class: "head" }, this.title,
        el("button", { type: "button", title: "Close (Esc)", on: { click: close } }, "Close")),
      this.facts,
      el("div", { class: "halves" },
        el("div", {}, el("h3", {}, "Last starts"), this.starts),
        el("div", {}, el("h3", {}, "Instances"), el("div", { class: "scroll" },
          el("table", {}, el("thead", {}, el("tr", {},
            ...COLUMNS.map((each) => el("th", { scope: "col" }, each)))), this.instances)))),
      el("h3", {}, "Output of its apps"), this.log);
  }

  open(host) {
    this.close();
    this.host = host;
    byId("route").hidden = false;
    setText(this.title, host);
    this.log.replaceChildren();
    this.stopping = new AbortController();
    this.read();
    this.title.focus({ preventScroll: true });
    byId("route").scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  // Reads what the apps print, until the route is closed or the page is hidden.
  read() {
    const target = `${path("routes", this.host, "logs")}?follow=true&lines=${LINES}`;
    follow(() => {
      this.log.replaceChildren();
      return target;
    }, this.stopping.signal, (line) => this.print(line), this.report);
  }

  suspend(hidden) {
    if (this.host === null) return;
    this.stopping.abort();
    this.stopping = new AbortController();
    if (!hidden) this.read();
  }

  close() {
    if (this.host !== null) this.stopping.abort();
    this.host = null;
    byId("route").hidden = true;
  }

  print(line) {
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 30;
    this.log.append(el("li", {}, el("time", {}, clock(line.time)), " ",
      el("span", { class: "ticket" }, line.ticket.slice(0, 6)), " ", line.line));
    while (this.log.children.length > LINES) this.log.firstElementChild.remove();
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }

  // found: as the API shows the route, with instance_list and starts.
  update(found) {
    const spawns = found.spawns.map((each) =>
      `${each.name}${each.reason ? `: ${each.reason}` : ""}`);
    setText(this.facts, [found.state, `${found.in_flight} of ${found.capacity} in flight`,
      `${found.held} held`, ...spawns].join(" · "));
    this.waterfalls(found.starts ?? []);
    const known = new Set(found.instance_list.map((each) => each.ticket));
    for (const ticket of this.rows.keys()) if (!known.has(ticket)) this.rows.delete(ticket);
    arrange(this.instances, found.instance_list.map((each) => this.row(each)));
  }

  row(instance) {
    let made = this.rows.get(instance.ticket);
    if (made === undefined) {
      made = el("tr", { "data-ticket": instance.ticket }, ...COLUMNS.map(() => el("td")));
      this.rows.set(instance.ticket, made);
    }
    const texts = [
      instance.ticket.slice(0, 8), instance.state,
      `${instance.in_flight}/${instance.capacity}`, String(instance.exchanges ?? "–"),
      duration(instance.age), bytes(instance.memory),
      instance.cpu === null || instance.cpu === undefined ? "–" : duration(instance.cpu),
      instance.node ?? "–",
    ];
    texts.forEach((text, index) => setText(made.children[index], text));
    return made;
  }

  // One bar a start, all on the same scale, with its phases one after another.
  waterfalls(starts) {
    const key = JSON.stringify(starts);
    if (key === this.drawn) return;
    this.drawn = key;
    const longest = Math.max(...starts.map(length), 0.001);
    this.starts.replaceChildren(...starts.map((each) => this.waterfall(each, longest)));
    if (!starts.length) this.starts.append(el("li", { class: "soft" }, "None so far."));
  }

  waterfall(start, longest) {
    const bar = el("span", { class: "waterfall" });
    const parts = [];
    for (const name of PHASES) {
      const seconds = start.phases[name];
      if (seconds === null) continue;
      const piece = el("i", { class: name, title: `${name} ${duration(seconds)}` });
      piece.style.width = `${(100 * seconds) / longest}%`;
      bar.append(piece);
      parts.push(`${name} ${duration(seconds)}`);
    }
    const failed = !["starting", "ready"].includes(start.outcome);
    if (failed) {
      const piece = el("i", { class: "failed" });
      piece.style.width = `${(100 * Math.max(length(start) - known(start), 0)) / longest}%`;
      bar.append(piece);
    }
    const said = start.outcome === "ready" ? duration(length(start)) : start.outcome;
    const made = el("li", { "data-outcome": start.outcome },
      el("time", {}, clock(start.ordered_at)), bar, el("b", { class: failed ? "bad" : "" }, said),
      el("span", { class: "soft" }, failed ? why(start.reason, start.last_line) : parts.join(", ")));
    setAttribute(made, "title", [...parts, start.reason].filter(Boolean).join(", "));
    return made;
  }
}

function known(start) {
  return PHASES.reduce((sum, name) => sum + (start.phases[name] ?? 0), 0);
}

function length(start) {
  const last = start.ready_at ?? start.gone_at;
  return last === null ? known(start) : Math.max(last - start.ordered_at, known(start));
}
