// The admin API. The token is in the part of the URL that browsers do not send, and moves from
// there to the memory of this tab. It is sent as a field of each request: there are no cookies,
// so that no other page can use it.

const KEPT = "brxy-token";

// Milliseconds until a stream that was cut is opened again.
const AGAIN = 1000;

export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    keepToken(given);
    history.replaceState(null, "", location.pathname);
  }
}

export function keepToken(token) {
  sessionStorage.setItem(KEPT, token);
}

function fields(more) {
  const token = sessionStorage.getItem(KEPT);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function checked(response) {
  if (response.ok) return response;
  let text = `the edge answers with status ${response.status}`;
  try {
    text = (await response.json()).error ?? text;
  } catch {
    // The answer is no JSON.
  }
  throw new Refused(response.status, text);
}

export function path(...parts) {
  return `/v1/${parts.map(encodeURIComponent).join("/")}`;
}

export async function get(target, signal) {
  const options = { headers: fields({}), cache: "no-store", signal };
  return (await checked(await fetch(target, options))).json();
}

export async function post(target, body = {}) {
  const headers = fields({ "Content-Type": "application/json" });
  const options = { method: "POST", headers, body: JSON.stringify(body) };
  return (await checked(await fetch(target, options))).json();
}

// Server-sent events. fetch is used in place of EventSource, which can't send a token.
export async function* events(target, signal) {
  const response = await checked(await fetch(target, { headers: fields({}), signal }));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:"));
      if (data.length) yield JSON.parse(data.map((line) => line.slice(5)).join("\n"));
    }
  }
}

// Calls take with each event of a stream until the signal ends it; it is opened again when it is
// cut. report gets null when it is open, and the error when it is not.
export async function follow(target, signal, take, report) {
  while (!signal.aborted) {
    try {
      for await (const each of events(target(), signal)) {
        report(null);
        take(each);
      }
      throw new Error("the edge has closed the connection");
    } catch (error) {
      if (signal.aborted) return;
      report(error);
      if (error instanceof Refused && error.status === 401) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
}
