// Makes and changes elements. Data only ever becomes text, never HTML: what apps print and what
// clients send is hostile.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value);
    }
  }
  made.append(...children);
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

// Sets a text only where it differs, so that what is selected on the page stays selected.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

// Puts children in this order, without moving any that is in place; the focus stays where it is.
export function arrange(parent, children) {
  const focused = document.activeElement;
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
  if (focused !== document.activeElement && parent.contains(focused)) focused.focus();
}

// The table behind a plot: its rows are only made while it is open.
export function tableBehind(titles, rows) {
  const body = el("tbody");
  const table = el("table", {},
    el("thead", {}, el("tr", {}, ...titles.map((each) => el("th", { scope: "col" }, each)))), body);
  const made = el("details", { class: "behind" }, el("summary", {}, "As a table"),
    el("div", { class: "scroll" }, table));
  const refresh = () => {
    if (made.open) {
      body.replaceChildren(...rows().map((row) =>
        el("tr", {}, ...row.map((each) => el("td", {}, each)))));
    }
  };
  made.addEventListener("toggle", refresh);
  return { element: made, refresh };
}
