"""The paper's figures, a module each: functions of tidy frames, written as PDF and PNG."""
