"""The paper's tables, one module each: functions of tidy frames, written as CSV, LaTeX and Markdown."""
