// The timeline: how many clients were held, and below it, on the same time axis, a bar for each
// instance from its order to its end.

import {
  RIGHT, TimeScale, clipped, followPointer, font, hairline, prepare, roundUp, theme,
} from "./canvas.js";
import { el, setText, tableBehind } from "./dom.js";
import { clock, count } from "./format.js";
import { busyness, describe, grouped, phases, why } from "./lives.js";
import { nearest } from "./plot.js";

const HELD = 104;
const [TOP, AXIS] = [14, 22];

// Width of the names of routes, and from which width on there is room for them.
const [NAMES, WIDE] = [168, 720];

// Up to this number of bars, lines connect them with the clients held.
const FEW = 16;

export class Timeline {
  constructor(parent, { setCursor, select }) {
    this.above = el("canvas");
    this.below = el("canvas");
    this.tip = el("p", { class: "tip", hidden: true });
    this.bars = el("div", { class: "bars" }, this.below);
    this.frame = el("div", { class: "frame", tabindex: "0", role: "img" },
      el("div", {}, this.above), this.bars, this.tip);
    this.lives = [];
    this.boxes = [];
    this.table = tableBehind(["route", "instance", "ordered", "what became of it"], () =>
      [...this.lives].reverse().map((each) =>
        [each.route, each.ticket, clock(each.ordered), describe(each, this.now)]));
    parent.append(this.frame, this.table.element);
    followPointer(this.frame, () => this.scale, setCursor);
    this.below.addEventListener("pointermove", (event) => this.point(event));
    this.below.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.below.addEventListener("click", (event) => {
      const found = this.find(event);
      if (found) select(found.route);
    });
  }

  // view: {from, to, now, cursor, points, heldOf, lives}
  update(view) {
    Object.assign(this, view);
    const width = this.frame.clientWidth;
    const left = width >= WIDE ? NAMES : 40;
    this.scale = new TimeScale(view.from, view.to, left, width - RIGHT);
    this.groups = grouped(this.lives, this.now);
    this.drawHeld(theme());
    this.drawBars(theme(), width >= WIDE);
    this.say();
    this.table.refresh();
  }

  inside(draw, height, body) {
    draw.save();
    draw.beginPath();
    draw.rect(this.scale.left, 0, this.scale.right - this.scale.left, height);
    draw.clip();
    body();
    draw.restore();
  }

  drawHeld(colour) {
    const { draw } = prepare(this.above, HELD);
    const points = this.points.filter((each) => each.time >= this.from - 4 && each.time <= this.to);
    const most = points.reduce((top, each) => Math.max(top, this.heldOf(each)), 0);
    const top = roundUp(most, 4);
    const base = HELD - AXIS;
    const y = (value) => base - (value / top) * (base - TOP);
    this.names(draw, colour, y, top);
    this.inside(draw, HELD, () => {
      this.connect(draw, colour, TOP, base);
      this.drawArea(draw, colour, points, y, base);
    });
    hairline(draw, colour("axis"), this.scale.left, base, this.scale.right, base);
    draw.textAlign = "center";
    draw.fillStyle = colour("soft");
    for (const tick of this.scale.ticks()) {
      draw.fillText(clock(tick), this.scale.x(tick), base + 11);
    }
    this.drawCursor(draw, colour, TOP, base);
  }

  names(draw, colour, y, top) {
    draw.textAlign = "right";
    draw.fillStyle = colour("soft");
    for (const part of [0.5, 1]) {
      hairline(draw, colour("grid"), this.scale.left, y(part * top), this.scale.right, y(part * top));
    }
    draw.fillText(String(top), this.scale.left - 6, y(top));
    draw.fillText("0", this.scale.left - 6, y(0));
    if (this.scale.left === NAMES) {
      draw.font = font(12, 600);
      draw.fillStyle = colour("held-text");
      draw.textAlign = "left";
      draw.fillText("clients held", 4, y(top / 2));
      draw.font = font(11);
    }
  }

  drawArea(draw, colour, points, y, base) {
    draw.fillStyle = colour("held");
    points.forEach((each, index) => {
      const value = this.heldOf(each);
      if (!value) return;
      const [left, right] = this.heldWithin(each, points[index - 1]).map((at) => this.scale.x(at));
      draw.fillRect(left, y(value), Math.max(right - left + 0.5, 1.5), base - y(value));
    });
  }

  // A point stands for the second that ends with it. If none was held before, the hold began
  // when it had an instance ordered; if none is afterwards, it ended when one was ready.
  heldWithin(point, before) {
    let from = before && point.time - before.time < 2 ? before.time : point.time - 1;
    let to = point.time;
    const within = (times) => times.filter((each) => each !== null && each >= from && each <= to);
    const ordered = within(this.lives.map((each) => each.ordered));
    const ready = within(this.lives.map((each) => each.ready));
    if (!before?.held && ordered.length) from = Math.min(...ordered);
    if (!point.held && ready.length) to = Math.max(...ready, from);
    return [from, to];
  }

  // Lines from where an instance became ready up to the clients that it frees.
  connect(draw, colour, from, to) {
    if (this.lives.length > FEW) return;
    draw.setLineDash([2, 3]);
    for (const { ready } of this.lives) {
      if (ready !== null) {
        hairline(draw, colour("ready"), this.scale.x(ready), from, this.scale.x(ready), to);
      }
    }
    draw.setLineDash([]);
  }

  drawCursor(draw, colour, from, to) {
    if (this.cursor !== null) {
      hairline(draw, colour("text"), this.scale.x(this.cursor), from, this.scale.x(this.cursor), to);
    }
  }

  drawBars(colour, wide) {
    const lanes = this.groups.reduce((sum, each) => sum + each.lanes.length, 0);
    const pitch = lanes <= 12 ? 22 : lanes <= 30 ? 15 : 9;
    const least = wide ? 16 : 0;
    const rows = this.groups.map((each) =>
      ({ ...each, height: Math.max(each.lanes.length * pitch, least) + (wide ? 6 : 20) }));
    const height = Math.max(rows.reduce((sum, each) => sum + each.height, 0) + 6, 60);
    const { draw, width } = prepare(this.below, height);
    this.boxes = [];
    this.hatch = hatching(draw, colour);
    this.inside(draw, height, () => this.connect(draw, colour, 0, height));
    let top = 4;
    for (const row of rows) {
      this.drawGroup(draw, colour, row, top, pitch, wide);
      top += row.height;
      if (row !== rows[rows.length - 1]) hairline(draw, colour("grid"), 0, top - 2, width, top - 2);
    }
    if (!rows.length) {
      draw.fillStyle = colour("soft");
      draw.textAlign = "center";
      draw.font = font(12);
      draw.fillText("No instance in this time: the next request starts one.",
        (this.scale.left + this.scale.right) / 2, height / 2);
    }
    this.drawCursor(draw, colour, 0, height);
  }

  drawGroup(draw, colour, row, top, pitch, wide) {
    draw.fillStyle = colour("text");
    draw.textAlign = "left";
    draw.font = font(wide ? 12 : 11, 500);
    const text = clipped(draw, row.route, wide ? NAMES - 16 : this.scale.right);
    draw.fillText(text, 4, wide ? top + Math.max(pitch, 16) / 2 : top + 8);
    draw.font = font(11);
    const first = wide ? top + Math.max((16 - pitch * row.lanes.length) / 2, 0) : top + 16;
    row.lanes.forEach((lane, index) => lane.forEach((life, place) => {
      const box = { life, top: first + index * pitch, height: pitch - (pitch > 10 ? 5 : 2) };
      this.inside(draw, this.below.height, () => this.drawLife(draw, colour, box));
      if (pitch >= 15) this.annotate(draw, colour, box, [lane[place - 1], lane[place + 1]]);
      this.boxes.push(box);
    }));
  }

  drawLife(draw, colour, { life, top, height }) {
    const begin = this.scale.x(life.ordered);
    const last = Math.max(this.scale.x(life.gone ?? this.now), begin + 3);
    draw.save();
    draw.beginPath();
    draw.roundRect(begin, top, last - begin, height, Math.min(3, height / 2));
    draw.clip();
    for (const [name, from, to] of phases(life, this.now)) {
      const [left, right] = [this.scale.x(from), Math.max(this.scale.x(to), this.scale.x(from) + 1)];
      draw.fillStyle = name === "starting" ? this.hatch : colour(name);
      if (name !== "ready") {
        draw.fillRect(left, top, right - left, height);
        continue;
      }
      for (const [start, end, part] of busyness(life, from, to)) {
        draw.globalAlpha = 0.38 + 0.62 * Math.min(part, 1);
        draw.fillRect(this.scale.x(start), top, this.scale.x(end) - this.scale.x(start) + 0.3, height);
      }
      draw.globalAlpha = 1;
    }
    draw.restore();
    if (life.failed) this.drawEnd(draw, colour, last, top, height);
  }

  drawEnd(draw, colour, x, top, height) {
    draw.fillStyle = colour("failed");
    draw.fillRect(x - 3, top - 1, 4, height + 2);
  }

  // What there is room for, beside or in a bar.
  annotate(draw, colour, { life, top, height }, neighbours) {
    const middle = top + height / 2 + 0.5;
    draw.textAlign = "left";
    if (life.failed) {
      this.explain(draw, colour, life, middle, neighbours);
    } else if (life.ready !== null) {
      const left = Math.max(this.scale.x(life.ready), this.scale.left) + 6;
      const room = this.scale.x(life.draining ?? life.gone ?? this.now) - left - 4;
      const text = `ready after ${(life.ready - life.ordered).toFixed(2)} s`;
      if (draw.measureText(text).width > room) return;
      // The bar below it has several shades.
      draw.strokeStyle = colour("card");
      draw.globalAlpha = 0.7;
      draw.lineWidth = 3;
      draw.strokeText(text, left, middle);
      draw.globalAlpha = 1;
      draw.fillStyle = colour("text");
      draw.fillText(text, left, middle);
    }
  }

  // Why an instance has failed: behind its bar, or before it if there is more room.
  explain(draw, colour, life, middle, [previous, next]) {
    const [first, last] = [this.scale.x(life.ordered), this.scale.x(life.gone)];
    if (last < this.scale.left) return;
    const left = Math.max(previous ? this.scale.x(previous.gone) : 0, this.scale.left);
    const before = first - left - 12;
    const after = (next ? this.scale.x(next.ordered) : this.scale.right) - last - 12;
    const text = `✕ ${why(life.reason, life.line)}`;
    draw.fillStyle = colour("failed-text");
    if (after >= Math.min(before, draw.measureText(text).width)) {
      draw.fillText(clipped(draw, text, after), last + 6, middle);
    } else if (!previous?.failed) {
      draw.textAlign = "right";
      draw.fillText(clipped(draw, text, before), first - 6, middle);
    }
  }

  // The bar under the pointer.
  find(event) {
    const box = this.below.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const found = this.boxes.find(({ life, top, height }) =>
      y >= top - 2 && y <= top + height + 2 && x >= this.scale.x(life.ordered) - 3
      && x <= this.scale.x(life.gone ?? this.now) + 6);
    return found ? found.life : null;
  }

  point(event) {
    const life = this.find(event);
    this.tip.hidden = life === null;
    this.below.style.cursor = life ? "pointer" : "";
    if (!life) return;
    setText(this.tip, `${life.route}/${life.ticket}: ${describe(life, this.now)}`);
    const frame = this.frame.getBoundingClientRect();
    const x = Math.min(event.clientX - frame.left + 12, frame.width - this.tip.offsetWidth - 8);
    this.tip.style.left = `${Math.max(x, 4)}px`;
    this.tip.style.top = `${event.clientY - frame.top + 16}px`;
  }

  say() {
    const point = this.cursor === null
      ? this.points[this.points.length - 1] : nearest(this.points, this.cursor);
    const time = this.cursor ?? this.now;
    const there = this.lives.filter((each) => each.ordered <= time && (each.gone ?? time) >= time);
    const held = point ? this.heldOf(point) : 0;
    this.frame.setAttribute("aria-label",
      `At ${clock(time)}: ${count(held, "client")} held, ${count(there.length, "instance")}`);
  }
}

function hatching(draw, colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const on = tile.getContext("2d");
  on.fillStyle = colour("starting");
  on.fillRect(0, 0, 6, 6);
  on.strokeStyle = colour("starting-line");
  on.lineWidth = 1.4;
  on.beginPath();
  for (const shift of [-6, 0, 6]) {
    on.moveTo(shift - 1, 7);
    on.lineTo(shift + 7, -1);
  }
  on.stroke();
  return draw.createPattern(tile, "repeat");
}
