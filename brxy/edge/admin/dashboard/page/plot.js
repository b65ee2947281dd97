// Plots of values over time: stacked areas, or lines.

import {
  RIGHT, TimeScale, clipped, followPointer, hairline, prepare, roundUp, theme,
} from "./canvas.js";
import { el, setAttribute, setText, tableBehind } from "./dom.js";
import { clock } from "./format.js";

const HEIGHT = 132;
const [TOP, BOTTOM, LEFT] = [10, 18, 40];

// Seconds without a point, which mean that the edge was not there.
const GAP = 3.5;

// Rows of the table behind a plot.
const ROWS = 60;

export class Plot {
  // series: a list of {name, colour, of}, where of(point) is a value or null; also pale; and
  // right, the format of an axis of its own.
  constructor(parent, { title, series, stacked = false, format, least, setCursor }) {
    Object.assign(this, { title, series, stacked, format, least });
    this.canvas = el("canvas");
    this.values = series.map(() => el("output"));
    const legend = series.map((each, index) => el("li", { class: `key ${each.colour}` },
      `${each.name} `, this.values[index]));
    this.frame = el("div", { class: "frame", tabindex: "0", role: "img" }, this.canvas);
    this.table = tableBehind(["time", ...series.map((each) => each.name)], () => this.rows());
    parent.append(el("figure", { class: "card" },
      el("figcaption", {}, el("h3", {}, title), el("ul", { class: "legend" }, ...legend)),
      this.frame, this.table.element));
    followPointer(this.frame, () => this.scale, setCursor);
    this.points = [];
  }

  update(points, from, to, cursor) {
    this.points = points.filter((each) => each.time >= from - GAP && each.time <= to);
    const { draw, width, height } = prepare(this.canvas, HEIGHT);
    this.second = this.series.find((each) => each.right);
    this.scale = new TimeScale(from, to, LEFT, width - (this.second ? LEFT : RIGHT));
    this.top = roundUp(this.highest((each) => !each.right), this.least);
    this.topRight = roundUp(this.highest((each) => each.right), 1);
    this.axes(draw, theme(), height);
    draw.save();
    draw.beginPath();
    draw.rect(LEFT, 0, this.scale.right - LEFT + 2, height);
    draw.clip();
    this.curves(draw, theme());
    draw.restore();
    if (cursor !== null) {
      hairline(draw, theme()("text"), this.scale.x(cursor), TOP, this.scale.x(cursor), this.y(0));
    }
    this.say(cursor);
    this.table.refresh();
  }

  y(value, top = this.top) {
    return HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP);
  }

  highest(wanted) {
    const chosen = this.series.filter(wanted);
    const heights = this.points.map((point) => {
      const values = chosen.map((each) => each.of(point) ?? 0);
      return this.stacked ? values.reduce((sum, each) => sum + each, 0) : Math.max(0, ...values);
    });
    return heights.reduce((most, each) => Math.max(most, each), 0);
  }

  axes(draw, colour, height) {
    draw.fillStyle = colour("soft");
    draw.textAlign = "right";
    for (const part of [0, 0.5, 1]) {
      const y = this.y(part * this.top);
      hairline(draw, colour(part ? "grid" : "axis"), LEFT, y, this.scale.right, y);
      if (part !== 0.5) draw.fillText(this.format(part * this.top), LEFT - 6, y);
    }
    if (this.second) {
      draw.textAlign = "left";
      draw.fillStyle = colour(this.second.colour);
      draw.fillText(this.second.right(this.topRight), this.scale.right + 6, this.y(this.top));
      draw.fillText(this.second.right(0), this.scale.right + 6, this.y(0));
      draw.fillStyle = colour("soft");
    }
    draw.textAlign = "center";
    for (const tick of this.scale.ticks()) {
      draw.fillText(clipped(draw, clock(tick), 80), this.scale.x(tick), height - 8);
    }
  }

  curves(draw, colour) {
    const below = this.points.map(() => 0);
    this.series.forEach((each) => {
      const values = this.points.map((point) => each.of(point));
      const heights = values.map((value, index) => (value ?? 0) + (this.stacked ? below[index] : 0));
      for (const run of this.runs(values)) {
        if (this.stacked) this.area(draw, colour(each.colour), run, heights, below);
        else this.line(draw, colour(each.colour), run, heights, each);
      }
      if (this.stacked) heights.forEach((height, index) => { below[index] = height; });
    });
  }

  // The pieces of a curve, as lists of indices: it is interrupted where there is no value.
  runs(values) {
    const found = [];
    let run = [];
    values.forEach((value, index) => {
      const before = this.points[index - 1];
      const apart = before && this.points[index].time - before.time > GAP;
      if ((apart || value === null) && run.length) {
        found.push(run);
        run = [];
      }
      if (value !== null) run.push(index);
    });
    return run.length ? [...found, run] : found;
  }

  trace(draw, indices, heights, top) {
    for (const index of indices) {
      draw.lineTo(this.scale.x(this.points[index].time), this.y(heights[index], top));
    }
  }

  area(draw, colour, run, heights, below) {
    draw.fillStyle = colour;
    draw.beginPath();
    this.trace(draw, run, heights);
    this.trace(draw, [...run].reverse(), below);
    draw.fill();
  }

  line(draw, colour, run, heights, { pale, right }) {
    const top = right ? this.topRight : this.top;
    draw.globalAlpha = pale ? 0.5 : 1;
    draw.strokeStyle = draw.fillStyle = colour;
    draw.lineWidth = 1.8;
    draw.lineJoin = "round";
    draw.beginPath();
    this.trace(draw, run, heights, top);
    draw.stroke();
    if (run.length === 1) {
      draw.beginPath();
      draw.arc(this.scale.x(this.points[run[0]].time), this.y(heights[run[0]], top), 2, 0, 7);
      draw.fill();
    }
    draw.globalAlpha = 1;
  }

  // The values in the legend: those at the cursor, or the last.
  say(cursor) {
    const last = this.points[this.points.length - 1];
    const point = cursor === null ? last : nearest(this.points, cursor);
    const texts = this.series.map((each) => (point ? this.text(each, point) : "–"));
    texts.forEach((text, index) => setText(this.values[index], text));
    const parts = this.series.map((each, index) => `${each.name} ${texts[index]}`);
    setAttribute(this.frame, "data-time", point ? String(point.time) : null);
    this.frame.setAttribute("aria-label",
      `${this.title}${point ? ` at ${clock(point.time)}` : ""}: ${parts.join(", ")}`);
  }

  text(series, point) {
    return (series.right ?? this.format)(series.of(point));
  }

  rows() {
    return [...this.points].reverse().slice(0, ROWS).map((point) =>
      [clock(point.time), ...this.series.map((each) => this.text(each, point))]);
  }
}

export function nearest(points, time) {
  let best = null;
  for (const each of points) {
    if (best === null || Math.abs(each.time - time) < Math.abs(best.time - time)) best = each;
  }
  return best !== null && Math.abs(best.time - time) <= GAP ? best : null;
}
