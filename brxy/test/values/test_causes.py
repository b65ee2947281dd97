"""
Tests of L{brxy.values.causes}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.values.causes import cause

#: What programs print when they fail, and the line that says why.
_FAILURES = (
    (
        # Python, an exception that has a cause.
        """
Traceback (most recent call last):
  File "/srv/app.py", line 2, in <module>
    int("x")
ValueError: invalid literal for int() with base 10: 'x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/app.py", line 4, in <module>
    raise KeyError("port") from error
KeyError: 'port'
""",
        "KeyError: 'port'",
    ),
    (
        # Python, an exception whose text has several lines.
        """
Traceback (most recent call last):
  File "/srv/manage.py", line 22, in main
    execute_from_command_line(sys.argv)
django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.
See the documentation.
""",
        "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
    ),
    (
        # Python, an exception without a text.
        """
Traceback (most recent call last):
  File "/srv/app.py", line 1, in <module>
    assert False
AssertionError
""",
        "AssertionError",
    ),
    (
        # Python, before the program runs.
        """
  File "/srv/app.py", line 1
    def f(
         ^
SyntaxError: '(' was never closed
""",
        "SyntaxError: '(' was never closed",
    ),
    (
        # Python, which finds no program.
        "python: can't open file '/srv/none.py': [Errno 2] No such file or directory",
        "python: can't open file '/srv/none.py': [Errno 2] No such file or directory",
    ),
    (
        # gunicorn, which goes on after the exception.
        """
[2026-11-30 10:00:00 +0000] [41] [INFO] Booting worker with pid: 41
[2026-11-30 10:00:00 +0000] [41] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/srv/venv/lib/python3.11/site-packages/gunicorn/arbiter.py", line 608, in spawn_worker
    worker.init_process()
ModuleNotFoundError: No module named 'hello'
[2026-11-30 10:00:00 +0000] [41] [INFO] Worker exiting (pid: 41)
[2026-11-30 10:00:00 +0000] [40] [ERROR] Worker (pid:41) exited with code 3
[2026-11-30 10:00:00 +0000] [40] [ERROR] Reason: Worker failed to boot.
""",
        "ModuleNotFoundError: No module named 'hello'",
    ),
    (
        # uvicorn.
        """
INFO:     Started server process [52]
ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 80): in use
""",
        "ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 80): in use",
    ),
    (
        # Node, a missing module.
        """
node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module 'express'
Require stack:
- /srv/a.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)
    at node:internal/main/run_main_module:28:49 {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/srv/a.js' ]
}

Node.js v20.20.2
""",
        "Error: Cannot find module 'express'",
    ),
    (
        # Node, a port that is taken.
        """
node:events:502
      throw er; // Unhandled 'error' event
      ^

Error: listen EADDRINUSE: address already in use 127.0.0.1:3000
    at Server.setupListenHandle [as _listen2] (node:net:1886:21)
Emitted 'error' event on Server instance at:
    at process.processTicksAndRejections (node:internal/process/task_queues:82:21) {
  code: 'EADDRINUSE',
  port: 3000
}

Node.js v20.20.2
""",
        "Error: listen EADDRINUSE: address already in use 127.0.0.1:3000",
    ),
    (
        # Node, an exception that has a cause, and one with a code.
        """
/srv/c.js:1
async function f(){ throw new TypeError("bad", {cause: new Error("deep")}) } f()
                          ^

TypeError: bad
    at f (/srv/c.js:1:27)
    ... 5 lines matching cause stack trace ...
    at node:internal/main/run_main_module:28:49 {
  [cause]: Error: deep
      at f (/srv/c.js:1:56)
}

Node.js v20.20.2
""",
        "TypeError: bad",
    ),
    (
        'TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be of type string\n    at x',
        'TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be of type string',
    ),
    (
        # Ruby.
        """
<internal:/usr/lib/ruby/kernel_require.rb>:85:in `require': cannot load \
such file -- sinatra (LoadError)
\tfrom <internal:/usr/lib/ruby/kernel_require.rb>:85:in `require'
\tfrom app.rb:1:in `<main>'
""",
        "<internal:/usr/lib/ruby/kernel_require.rb>:85:in `require': cannot load "
        "such file -- sinatra (LoadError)",
    ),
    (
        """
app.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)
\tfrom app.rb:3:in '<main>'
""",
        "app.rb:3:in 'Integer#/': divided by 0 (ZeroDivisionError)",
    ),
    (
        # Go, a panic and what go run adds.
        """
panic: assignment to entry in nil map

goroutine 1 [running]:
main.main()
\t/srv/a.go:2 +0x2e
exit status 2
""",
        "panic: assignment to entry in nil map",
    ),
    (
        # Go, log.Fatal.
        "2026/11/30 10:00:00 listen tcp :80: bind: permission denied\nexit status 1",
        "2026/11/30 10:00:00 listen tcp :80: bind: permission denied",
    ),
    (
        """
fatal error: all goroutines are asleep - deadlock!

goroutine 1 [chan receive]:
main.main()
\t/srv/a.go:3 +0x1d
exit status 2
""",
        "fatal error: all goroutines are asleep - deadlock!",
    ),
    (
        # Java: the deepest cause.
        """
Exception in thread "main" java.lang.IllegalStateException: config
\tat A.main(A.java:1)
Caused by: java.lang.NumberFormatException: For input string: "x"
\tat java.base/java.lang.Integer.parseInt(Integer.java:668)
\t... 1 more
""",
        'Caused by: java.lang.NumberFormatException: For input string: "x"',
    ),
    ("Error: Unable to access jarfile none.jar", "Error: Unable to access jarfile none.jar"),
    (
        # PHP.
        """
PHP Fatal error:  Uncaught RuntimeException: no db in /srv/a.php:1
Stack trace:
#0 /srv/a.php(1): f()
#1 {main}
  thrown in /srv/a.php on line 1
""",
        "PHP Fatal error:  Uncaught RuntimeException: no db in /srv/a.php:1",
    ),
    (
        "[Mon Nov 30 2026] Failed to listen on 127.0.0.1:80 (reason: Permission denied)",
        "[Mon Nov 30 2026] Failed to listen on 127.0.0.1:80 (reason: Permission denied)",
    ),
    (
        # Rust, before and after 1.73, and an error that main returns.
        """
thread 'main' panicked at src/main.rs:2:5:
called `Option::unwrap()` on a `None` value
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
""",
        "thread 'main' panicked at src/main.rs:2:5: called `Option::unwrap()` on a `None` value",
    ),
    (
        """
thread 'main' panicked at 'no port', src/main.rs:2:5
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
""",
        "thread 'main' panicked at 'no port', src/main.rs:2:5",
    ),
    ("Error: ParseIntError { kind: InvalidDigit }", "Error: ParseIntError { kind: InvalidDigit }"),
    # Others.
    ("starting\nbad config\n\n  \n", "bad config"),
    (
        "nginx: [emerg] bind() failed",
        "nginx: [emerg] bind() failed",
    ),
    ("}", "}"),
    ("", ""),
)


class CauseTests(SynchronousTestCase):
    """
    Tests of L{cause}.
    """

    def test_failures(self) -> None:
        """
        The exception is found, and not what is printed after it.
        """
        for printed, expected in _FAILURES:
            self.assertEqual(cause(printed.split("\n")), expected)
