// A client of hello_socketio.js: client_socketio.js URL TRANSPORT…
const { io } = require("socket.io-client");

const [url, ...transports] = process.argv.slice(2);
const socket = io(url, { transports, reconnection: false, timeout: 60000 });
const fail = (why) => {
  console.error(String(why));
  process.exit(1);
};
socket.on("connect_error", fail);
socket.on("connect", () => {
  const watch = setInterval(() => {
    // An upgrade takes place some time after the session has begun.
    if (socket.io.engine.transport.name !== transports.at(-1)) return;
    clearInterval(watch);
    socket.emit("echo", "hello", (text) => {
      console.log(text);
      socket.close();
    });
  }, 10);
});
