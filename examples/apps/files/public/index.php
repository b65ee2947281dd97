<?php
if ($_SERVER["REQUEST_URI"] === "/slow") {
    usleep(500000);
}
echo "Hello from process ", getmypid(), " ", $_SERVER["REQUEST_METHOD"], "\n";
