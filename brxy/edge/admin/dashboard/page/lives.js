// What became of each instance, from its order to its end, and where its bar goes.

// Seconds that a bar takes at least, so that its end is seen; a lane is free again after it.
const LEAST = 0.3;

// Why an instance has failed. What follows a colon is what the app printed last.
export function why(reason, line) {
  return line && !reason.includes(": ") ? `${line} (${reason})` : reason;
}

export function describe(life, now) {
  const parts = [];
  if (life.ready !== null) parts.push(`ready after ${seconds(life.ready - life.ordered)}`);
  else if (life.gone === null) parts.push(`starting for ${seconds(now - life.ordered)}`);
  if (life.gone === null && life.draining === null && life.ready !== null) {
    parts.push(`ready for ${seconds(now - life.ready)}`);
    if (life.capacity) parts.push(`${life.in_flight} of ${life.capacity} exchanges`);
  }
  if (life.gone === null && life.draining !== null) {
    parts.push(`draining for ${seconds(now - life.draining)}`);
  }
  if (life.gone !== null) {
    parts.push(`${life.failed ? "failed" : "gone"} after ${seconds(life.gone - life.ordered)}`);
    if (life.reason) parts.push(life.failed ? why(life.reason, life.line) : life.reason);
  }
  return parts.join(", ");
}

function seconds(number) {
  return number < 10 ? `${Math.max(number, 0).toFixed(2)} s` : `${Math.round(number)} s`;
}

// The lives by routes. In each, a life has the first lane that is free by then.
export function grouped(lives, now) {
  const groups = new Map();
  for (const life of [...lives].sort((a, b) => a.ordered - b.ordered)) {
    if (!groups.has(life.route)) groups.set(life.route, { route: life.route, lanes: [] });
    const { lanes } = groups.get(life.route);
    const free = lanes.find((lane) => end(lane[lane.length - 1], now) <= life.ordered);
    if (free) free.push(life);
    else lanes.push([life]);
  }
  return [...groups.values()].sort((a, b) => (a.route < b.route ? -1 : 1));
}

function end(life, now) {
  return Math.max(life.gone ?? now, life.ordered + LEAST);
}

// The phases of a life, for its bar: [name, from, to].
export function phases(life, now) {
  const last = life.gone ?? now;
  const drains = Math.min(life.draining ?? last, last);
  const ready = Math.min(life.ready ?? drains, drains);
  const found = [["starting", life.ordered, ready]];
  if (life.ready !== null) found.push(["ready", ready, drains]);
  if (drains < last) found.push(["draining", drains, last]);
  return found.filter(([, from, to]) => to > from);
}

// The pieces of a time in which a life was ready, by how much of its capacity was in use:
// [from, to, part].
export function busyness(life, from, to) {
  const pieces = [];
  let [begin, part] = [from, 0];
  for (const [time, next] of life.use) {
    if (time <= from) {
      part = next;
    } else if (time < to) {
      pieces.push([begin, time, part]);
      [begin, part] = [time, next];
    }
  }
  return [...pieces, [begin, to, part]];
}
