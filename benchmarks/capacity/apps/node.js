// An app on node's own server.
"use strict";

require("http").createServer(require("./work.js")).listen(Number(process.env.PORT), "127.0.0.1");
