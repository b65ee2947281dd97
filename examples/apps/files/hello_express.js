// An express app.
const express = require("express");

const app = express();
app.get("/", (request, response) => response.send(`Hello from process ${process.pid}\n`));
app.get("/slow", (request, response) => {
  setTimeout(() => response.send(`Hello from process ${process.pid}\n`), 500);
});
app.listen(process.env.PORT, "127.0.0.1");
