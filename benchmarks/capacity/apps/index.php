<?php
// An app on PHP's own server: see journal.py.
function note(string $sign): void
{
    $id = ltrim(parse_url($_SERVER["REQUEST_URI"], PHP_URL_PATH), "/");
    if ($id !== "") {
        $line = sprintf("%s %s %.6f\n", $sign, $id, microtime(true));
        file_put_contents(getenv("JOURNAL") ?: "/dev/null", $line, FILE_APPEND);
    }
}

note("+");
usleep((int) (1000 * (float) ($_GET["ms"] ?? 0)));
note("-");
echo getmypid(), "\n";
