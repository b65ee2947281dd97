// The list of events, the newest first.

import { byId, el } from "./dom.js";
import { clock } from "./format.js";

const SHOWN = 200;

export class EventList {
  constructor() {
    this.list = byId("event-list");
  }

  add(events) {
    const made = events.slice(-SHOWN).reverse().map((each) => el("li",
      { class: each.level === "info" || each.level === "debug" ? "" : "bad", "data-event": each.event },
      el("time", {}, clock(each.time ?? 0)), " ", each.text ?? `${each.count} events are missing`));
    this.list.prepend(...made);
    while (this.list.children.length > SHOWN) this.list.lastElementChild.remove();
  }
}
