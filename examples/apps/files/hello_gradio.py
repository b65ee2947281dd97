"""
A Gradio app with one function, which yields a result word by word.
"""

import os
import time
from collections.abc import Iterator

import gradio as gr


def greet(name: str) -> Iterator[str]:
    """
    Yield the words so far, as a language model does.
    """
    words = f"Hello {name} from Gradio".split()
    for number in range(1, len(words) + 1):
        yield " ".join(words[:number])
        time.sleep(0.1)


demo = gr.Interface(greet, "text", "text", api_name="greet")
demo.launch(server_name="127.0.0.1", server_port=int(os.environ["PORT"]))
