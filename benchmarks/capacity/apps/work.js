// The work of the apps for Node.js: see journal.py.
"use strict";

const fs = require("fs");

const journal = fs.openSync(process.env.JOURNAL || "/dev/null", "a");

module.exports = function answer(request, response) {
  const url = new URL(request.url, "http://localhost");
  const id = url.pathname.slice(1);
  const note = (sign) =>
    id && fs.writeSync(journal, `${sign} ${id} ${performance.timeOrigin / 1000 + performance.now() / 1000}\n`);
  note("+");
  setTimeout(() => {
    note("-");
    response.end(`${process.pid}\n`);
  }, Number(url.searchParams.get("ms") || 0));
};
