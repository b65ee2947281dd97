// A socket.io server that returns what it gets, with a page that is a chat.
const http = require("http");
const { Server } = require("socket.io");

const PAGE = `<!doctype html>
<title>Hello from socket.io</title>
<h1>Hello from socket.io</h1>
<ul></ul>
<form><input autofocus placeholder="Say something"> <button>Say</button></form>
<p>Connected by <b>nothing yet</b></p>
<script src="/socket.io/socket.io.js"></script>
<script>
  const socket = io();
  const [list, form, input, way] = ["ul", "form", "input", "b"].map(
    (name) => document.querySelector(name));
  setInterval(() => { way.textContent = socket.io.engine?.transport?.name; }, 100);
  socket.on("said", (text) => {
    list.append(Object.assign(document.createElement("li"), { textContent: text }));
  });
  form.onsubmit = (event) => {
    event.preventDefault();
    socket.emit("say", input.value);
    form.reset();
  };
</script>
`;

const server = http.createServer((request, response) => {
  response.setHeader("Content-Type", "text/html");
  response.end(PAGE);
});
const io = new Server(server);
io.on("connection", (socket) => {
  socket.on("echo", (text, reply) => reply(`${socket.conn.transport.name}: ${text}`));
  socket.on("say", (text) => io.emit("said", text));
});
server.listen(process.env.PORT, "127.0.0.1");
