"""The paper's figures, one module each: functions of tidy frames, written as PDF and PNG."""
