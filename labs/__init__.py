"""The labs: one folder a question. Of each the tool knows lab.py (LAB); its tests know fakes.py; `./lab new` makes one."""
