"""
A Streamlit app that counts clicks in its session.
"""

import streamlit as st

if "clicks" not in st.session_state:
    st.session_state.clicks = 0


def _count() -> None:
    st.session_state.clicks += 1


st.title("Hello from Streamlit")
st.button("Count", on_click=_count)
st.write(f"Clicks: {st.session_state.clicks}")
