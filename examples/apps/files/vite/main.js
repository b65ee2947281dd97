document.body.textContent = "Hello from vite";
import.meta.hot?.accept();
