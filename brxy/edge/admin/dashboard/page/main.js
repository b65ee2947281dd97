// The page: reads the edge, and draws it.

import { Refused, follow, get, keepToken, path, post, takeToken } from "./api.js";
import { byId, el, setAttribute, setText } from "./dom.js";
import { EventList } from "./eventlist.js";
import { duration, rate, whole } from "./format.js";
import { Model } from "./model.js";
import { Plot } from "./plot.js";
import { Route } from "./route.js";
import { Routes, outcome } from "./routes.js";
import { Timeline } from "./timeline.js";

const RANGES = [["1 min", 60], ["3 min", 180], ["10 min", 600]];

// Seconds that are shown at least.
const YOUNG = 15;

// Milliseconds between two readings; and after a slow one, this many times as long as it took.
const PERIOD = 1000;
const REST = 10;

const LEGEND = [
  ["held", "a client is held"],
  ["starting", "an instance starts"],
  ["ready", "it is ready; darker: busier"],
  ["draining", "idle, it drains"],
  ["failed", "it has failed"],
];

const model = new Model();
const view = { seconds: RANGES[1][1], cursor: null, frozen: null, selected: null };
const parts = {};
let stopping = new AbortController();

// Drawing

function facts() {
  const last = model.points[model.points.length - 1];
  const { status } = model;
  const sum = last ? last.requests.warm + last.requests.queued + last.requests.cold : null;
  return [
    ["up", duration(status.uptime)],
    ["requests/s", rate(sum)],
    ["clients", String(status.clients)],
    ["held", String(status.held)],
    ["instances", `${status.instances.total}/${status.instances.max}`],
    ["reactor lag", last ? duration(last.late) : "–"],
    ["version", status.version],
  ];
}

function drawFacts() {
  setText(byId("edge"), model.status.edge.slice(0, 8));
  setAttribute(byId("edge"), "title", `edge ${model.status.edge}`);
  const found = facts();
  const list = byId("facts");
  if (!list.children.length) {
    list.append(...found.map(([name]) =>
      el("div", { "data-fact": name }, el("dt", {}, name), el("dd"))));
  }
  const problems = model.status.problems.filter((each) => each.route === null);
  setText(byId("problems"), problems.map((each) => each.text).join("\n"));
  byId("problems").hidden = !problems.length;
  found.forEach(([name, text], index) => {
    setText(list.children[index].lastElementChild, text);
    if (name === "held") list.children[index].classList.toggle("waits", text !== "0");
  });
}

// Where what is shown begins: what a young edge has done so far fills the width.
function begin(to) {
  const first = model.points.length ? model.points[0].time - 1 : to;
  return Math.max(to - view.seconds, Math.min(first, to - YOUNG));
}

function draw() {
  parts.planned = null;
  if (model.status === null || byId("main").hidden) return;
  drawFacts();
  const to = view.frozen ?? model.now;
  const from = begin(to);
  parts.timeline.update({
    from, to, now: to, cursor: view.cursor, points: model.points,
    heldOf: (point) => (view.selected === null
      ? point.most_held : point.most_held_routes[view.selected] ?? 0),
    lives: model.livesIn(from, to, view.selected),
  });
  for (const plot of parts.plots) plot.update(model.points, from, to, view.cursor);
  if (view.frozen === null) {
    parts.routes.update(model.routes, { selected: view.selected, next: model.next });
  }
}

function plan() {
  parts.planned ??= requestAnimationFrame(draw);
}

function setCursor(cursor) {
  view.cursor = typeof cursor === "function" ? cursor(view.cursor) : cursor;
  plan();
}

// Reading

function report(error) {
  if (error instanceof Refused && error.status === 401) {
    login();
    return;
  }
  byId("trouble").hidden = error === null;
  if (error !== null) setText(byId("trouble"), `The edge does not answer: ${error.message}`);
}

async function readSeries(signal) {
  let timeline = false;
  await follow(() => {
    timeline = false;
    return `/v1/series?follow=true&since=${model.points.length ? model.now : 0}`;
  }, signal, (message) => {
    model.takePoint(message);
    if (!timeline) {
      timeline = true;
      get("/v1/timeline", signal).then((all) => model.takeTimeline(all.instances)).then(plan, report);
    }
    plan();
  }, report);
}

async function readAll(signal) {
  const [status, routes, instances, events] = await Promise.all([
    get("/v1/status", signal),
    get("/v1/routes?limit=1000", signal),
    get("/v1/instances?limit=1000", signal),
    get(`/v1/events?follow=false&after=${parts.seen ?? ""}`, signal),
  ]);
  model.status = status;
  model.takeRoutes(routes, instances.instances);
  parts.seen = events.last;
  parts.events.add(events.events);
  if (view.selected !== null) {
    const found = await get(path("routes", view.selected), signal);
    if (found.host === view.selected) parts.route.update(found);
  }
  plan();
}

async function readOn(signal) {
  while (!signal.aborted) {
    const began = performance.now();
    try {
      await readAll(signal);
    } catch (error) {
      if (!signal.aborted) report(error);
    }
    const pause = Math.max(PERIOD, REST * (performance.now() - began) - PERIOD);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

function start() {
  stopping.abort();
  stopping = new AbortController();
  readSeries(stopping.signal);
  readOn(stopping.signal);
}

// What people do

async function change(host, verb) {
  try {
    return { ok: true, said: outcome(verb, await post(path("routes", host, verb))) };
  } catch (error) {
    return { ok: false, said: `${verb} failed: ${error.message}` };
  }
}

function select(host) {
  view.selected = host === view.selected ? null : host;
  if (view.selected === null) parts.route.close();
  else parts.route.open(host);
  setText(byId("story-title"), view.selected === null
    ? "Clients wait above, instances live below" : `Clients and instances of ${host}`);
  plan();
}

function close() {
  const name = document.querySelector("#table [aria-expanded=true]");
  if (view.selected !== null) select(view.selected);
  name?.focus();
}

function freeze() {
  view.frozen = view.frozen === null ? model.now : null;
  byId("freeze").setAttribute("aria-pressed", String(view.frozen !== null));
  plan();
}

function setRange(seconds) {
  view.seconds = seconds;
  [...byId("ranges").children].forEach((each, index) =>
    each.setAttribute("aria-pressed", String(RANGES[index][1] === seconds)));
  plan();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input");
  if (event.key === "Escape") {
    if (typing && event.target.value) return;
    if (typing) event.target.blur();
    else close();
  } else if (typing) {
    return;
  } else if (event.key === "/") {
    event.preventDefault();
    byId("filter").focus();
  } else if (event.key === " " && !event.target.closest("button, summary, [tabindex='0'].lines")) {
    event.preventDefault();
    freeze();
  } else if (RANGES["123".indexOf(event.key)]) {
    setRange(RANGES["123".indexOf(event.key)][1]);
  }
}

function login() {
  stopping.abort();
  byId("main").hidden = true;
  byId("login").hidden = false;
  byId("token").focus();
}

async function enter() {
  try {
    model.status = await get("/v1/status");
  } catch (error) {
    report(error);
    if (!(error instanceof Refused)) setTimeout(enter, PERIOD);
    return;
  }
  report(null);
  byId("login").hidden = true;
  byId("main").hidden = false;
  start();
}

// The parts of the page

function makePlots() {
  const parent = byId("plots");
  const of = (name, ...keys) => (point) => keys.reduce((found, key) => found?.[key], point[name]) ?? null;
  const states = ["ready", "connected", "ordered", "draining"];
  const common = { setCursor, least: 1 };
  return [
    new Plot(parent, { ...common, title: "Requests a second", stacked: true, format: rate,
      series: ["warm", "queued", "cold"].map((name) =>
        ({ name, colour: name, of: of("requests", name) })) }),
    new Plot(parent, { ...common, title: "Clients held", format: whole, least: 4,
      series: [{ name: "held", colour: "held", of: of("held") },
        { name: "oldest wait", colour: "oldest", of: of("oldest_hold"), right: duration }] }),
    new Plot(parent, { ...common, title: "Instances", stacked: true, format: whole, least: 2,
      series: states.map((name) => ({ name, colour: name, of: of("instances", name) })) }),
    new Plot(parent, { ...common, title: "Latency", format: duration, least: 0.01,
      series: [["hold", "p50"], ["hold", "p99"], ["app", "p50"], ["app", "p99"]].map(([what, part]) =>
        ({ name: `${what} ${part}`, colour: what, pale: part === "p99", of: of(what, part) })) }),
  ];
}

function make() {
  byId("legend").append(...LEGEND.map(([name, text]) => el("li", { class: `key ${name}` }, text)));
  byId("ranges").append(...RANGES.map(([name, seconds], index) => el("button",
    { type: "button", "aria-keyshortcuts": String(index + 1), on: { click: () => setRange(seconds) } },
    name)));
  parts.timeline = new Timeline(byId("timeline"), { setCursor, select });
  parts.plots = makePlots();
  parts.routes = new Routes({ select, change });
  parts.route = new Route({ close, report });
  parts.events = new EventList();
  byId("freeze").addEventListener("click", freeze);
  byId("login").addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(byId("token").value.trim());
    enter();
  });
  document.addEventListener("keydown", pressed);
  window.addEventListener("resize", plan);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", plan);
  // A page that is not seen has no connection: browsers allow few to one server.
  document.addEventListener("visibilitychange", () => {
    if (byId("main").hidden) return;
    if (document.hidden) stopping.abort();
    else start();
    parts.route.suspend(document.hidden);
  });
}

takeToken();
make();
setRange(view.seconds);
enter();
