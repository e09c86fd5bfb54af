"""The paper's tables, a module each: functions of tidy frames, written as CSV, LaTeX and Markdown."""
