// A socket.io server that returns what it gets.
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer((request, response) => response.end("Hello\n"));
const io = new Server(server);
io.on("connection", (socket) => {
  socket.on("echo", (text, reply) => reply(`${socket.conn.transport.name}: ${text}`));
});
server.listen(process.env.PORT, "127.0.0.1");
