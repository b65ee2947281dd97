// An Express app.
"use strict";

const app = require("express")();
app.use(require("./work.js"));
app.listen(Number(process.env.PORT), "127.0.0.1");
