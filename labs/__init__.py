"""The labs: one folder a question. The tool asks for lab.py (LAB), its tests for fakes.py; `./lab new` makes one."""
