// What the plots and the timeline draw with.

// Room left and right of what is drawn, in pixels; the same everywhere, so that all share a
// time axis.
export const RIGHT = 12;

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

// The colours of the style sheet, which depend on light or dark.
export function theme() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(`--${name}`).trim();
}

// A canvas whose pixels are those of the screen.
export function prepare(canvas, height) {
  const width = canvas.parentElement.clientWidth;
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    [canvas.width, canvas.height] = [wide, high];
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const draw = canvas.getContext("2d");
  draw.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw.clearRect(0, 0, width, height);
  draw.font = font(11);
  draw.textBaseline = "middle";
  return { draw, width, height };
}

export function font(size, weight = 400) {
  return `${weight} ${size}px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif`;
}

// Maps times to pixels.
export class TimeScale {
  constructor(from, to, left, right) {
    Object.assign(this, { from, to, left, right });
  }

  x(time) {
    return this.left + ((time - this.from) / (this.to - this.from)) * (this.right - this.left);
  }

  time(x) {
    return this.from + ((x - this.left) / (this.right - this.left)) * (this.to - this.from);
  }

  // Round times, with about 90 pixels between two.
  ticks() {
    const wanted = ((this.to - this.from) * 90) / Math.max(this.right - this.left, 1);
    const step = STEPS.find((each) => each >= wanted) ?? STEPS[STEPS.length - 1];
    const found = [];
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) found.push(at);
    // The text of one at the very end would not fit.
    return found.filter((each) => this.x(each) < this.right - 14);
  }
}

// The least round number that is not below this one.
export function roundUp(value, least = 1) {
  if (value <= least) return least;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= value * 0.9999);
}

export function hairline(draw, colour, x1, y1, x2, y2) {
  draw.strokeStyle = colour;
  draw.lineWidth = 1;
  draw.beginPath();
  draw.moveTo(Math.round(x1) + 0.5, Math.round(y1) + 0.5);
  draw.lineTo(Math.round(x2) + 0.5, Math.round(y2) + 0.5);
  draw.stroke();
}

// Text that ends with … where it does not fit.
export function clipped(draw, text, room) {
  if (draw.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 0 && draw.measureText(`${text.slice(0, length)}…`).width > room) {
    length -= Math.max(1, Math.floor(length / 16));
  }
  return length > 1 ? `${text.slice(0, length)}…` : "";
}

// Makes an element show a time under the pointer, or by the arrow keys, in all plots at once.
export function followPointer(element, scale, setCursor) {
  const at = (event) => {
    const found = scale();
    const time = found && found.time(event.clientX - element.getBoundingClientRect().left);
    setCursor(found && time >= found.from && time <= found.to ? time : null);
  };
  element.addEventListener("pointermove", at);
  element.addEventListener("pointerleave", () => setCursor(null));
  element.addEventListener("keydown", (event) => {
    const found = scale();
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!found || !step) return;
    event.preventDefault();
    setCursor((now) => Math.min(Math.max((now ?? found.to) + step, found.from), found.to));
  });
  element.addEventListener("blur", () => setCursor(null));
}
