"""The money rules, pure: commands and events in, events or a rejection out.

Nothing here does I/O, reads a clock, makes an id, draws a random number or writes a log line;
time and ids arrive as arguments. That is what makes replay equal live, and what lets a test
state a rule in the words of the rule.
"""
