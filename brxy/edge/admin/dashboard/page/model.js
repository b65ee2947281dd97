// What the page knows of the edge.

import { why } from "./lives.js";

const KEPT = 600;

// Seconds for which the life of an instance is kept that is gone.
const OVER = 620;

const BAD = ["failed", "exit", "timeout", "given_up"];

export class Model {
  constructor() {
    this.points = [];
    this.lives = new Map();
    this.status = null;
    this.routes = [];
    this.next = null;
    this.counts = new Map();
  }

  // The time of the last point, by the clock of the edge.
  get now() {
    return this.points.length ? this.points[this.points.length - 1].time : Date.now() / 1000;
  }

  // A message of the live series.
  takePoint({ point, instances }) {
    // A second edge at the same address begins anew, maybe with an earlier time.
    if (this.points.length && point.time <= this.now) this.points = [];
    this.points.push(point);
    if (this.points.length > KEPT) this.points.shift();
    this.takeLives(instances);
  }

  takeLives(views) {
    for (const view of views) {
      const known = this.lives.get(view.ticket);
      this.lives.set(view.ticket, {
        ...(known ?? { use: [], in_flight: 0, capacity: 0 }),
        ...life(view),
      });
    }
    for (const [ticket, each] of this.lives) {
      if (each.gone !== null && each.gone < this.now - OVER) this.lives.delete(ticket);
    }
  }

  // All lives that there are, where the stream sends only those that change.
  takeTimeline(views) {
    const there = new Set(views.map((each) => each.ticket));
    for (const ticket of this.lives.keys()) if (!there.has(ticket)) this.lives.delete(ticket);
    this.takeLives(views);
  }

  takeRoutes(page, instances) {
    const moment = performance.now() / 1000;
    const seconds = moment - (this.counted ?? moment);
    const starts = this.lastStarts();
    this.next = page.next;
    this.routes = page.routes.map((row) => {
      const more = row.exchanges - (this.counts.get(row.host) ?? row.exchanges);
      const rate = seconds > 0 ? Math.max(more, 0) / seconds : 0;
      return { ...row, rate, last: lastStart(starts.get(row.host)) };
    });
    this.counted = moment;
    this.counts = new Map(page.routes.map((row) => [row.host, row.exchanges]));
    instances.forEach((each) => this.use(each));
  }

  lastStarts() {
    const found = new Map();
    for (const each of this.lives.values()) {
      const before = found.get(each.route);
      if (before === undefined || each.ordered > before.ordered) found.set(each.route, each);
    }
    return found;
  }

  // How much of an instance is in use, whenever that changes.
  use(instance) {
    const known = this.lives.get(instance.ticket);
    if (known === undefined) return;
    Object.assign(known, { in_flight: instance.in_flight, capacity: instance.capacity });
    const part = instance.capacity ? instance.in_flight / instance.capacity : 0;
    const last = known.use[known.use.length - 1];
    if ((last ? last[1] : 0) !== part) known.use.push([this.now, part]);
  }

  livesIn(from, to, route) {
    return [...this.lives.values()].filter((each) =>
      each.ordered <= to && (each.gone ?? to) >= from && (route === null || each.route === route));
  }
}

function life(view) {
  const { ordered_at, connected_at, ready_at, draining_at, gone_at } = view;
  const failed = gone_at !== null && (BAD.includes(view.outcome) || view.end === "exit");
  return {
    ticket: view.ticket, route: view.route, ordered: ordered_at, connected: connected_at,
    ready: ready_at, draining: draining_at, gone: gone_at, failed, reason: view.reason,
    outcome: view.outcome, line: failed ? view.last_line : "",
  };
}

function lastStart(found) {
  if (found === undefined) return null;
  const { ordered, ready, outcome } = found;
  if (ready !== null) {
    return { time: ordered, text: `${(ready - ordered).toFixed(2)} s`, trouble: "" };
  }
  if (outcome === "starting") return { time: ordered, text: "now", trouble: "" };
  return { time: ordered, text: "failed", trouble: why(found.reason, found.line) };
}
